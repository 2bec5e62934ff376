package catalog

import (
	"strings"
	"testing"

	"annbench/embedder/catalog/boards"
)

// TestGarments: a garment is the same thing as product and in scenes, with one box around it and attributes beside it; what is
// drawn depends on number, seed and how hard it is, and on nothing else.
func TestGarments(t *testing.T) {
	source := func(c Config) *Rendered {
		t.Helper()
		r, err := RenderedBoards(c)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	products := source(Config{Garments: 12, Shots: 2, Seed: 3})
	scenes := source(Config{Garments: 4, Scenes: true, Hard: 0.5, Seed: 3})
	if products.Len() != 24 || products.Groups() != 24 || scenes.Len() != 4 {
		t.Fatalf("%d products, %d scenes", products.Len(), scenes.Len())
	}
	for g := range scenes.Groups() {
		a, b := products.Items(2 * g)[0], scenes.Items(g)[0]
		if a.Label != b.Label || a.ID == b.ID {
			t.Errorf("garment %d is %v, and %v in its scene", g, a, b)
		}
		for _, p := range append(products.Group(2*g), scenes.Group(g)...) {
			if p.Err != nil {
				t.Fatal(p.Err)
			}
			if s := p.Image.Bounds().Size(); s.X < 40 || s.Y < 40 {
				t.Errorf("%s is %v pixels", p.ID, s)
			}
		}
	}
	digests := map[string]bool{}
	for _, c := range []Config{
		{Garments: 12, Shots: 2, Seed: 3},
		{Garments: 12, Shots: 2, Seed: 4},
		{Garments: 4, Scenes: true, Hard: 0.5, Seed: 3},
		{Garments: 4, Scenes: true, Hard: 0.9, Seed: 3},
	} {
		digest, err := source(c).Digest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		digests[digest] = true
	}
	if len(digests) != 4 {
		t.Errorf("%d digests of 4 collections", len(digests))
	}
	lines := strings.Split(strings.TrimSpace(string(scenes.Attributes())), "\n")
	if len(lines) != 5 || lines[0] != "id,item,colour,pattern,cut,sleeve,price" || !strings.HasPrefix(lines[1], "s000000-0#0,G000000,") {
		t.Errorf("attributes %q", lines)
	}
	if !strings.Contains(string(products.Attributes()), strings.TrimPrefix(lines[2], "s000001-0#0")) {
		t.Errorf("a scene has other attributes than its product: %q", lines[2])
	}
	if source(Config{Boards: 1}).Attributes() != nil {
		t.Error("boards have attributes")
	}
	if _, err := RenderedBoards(Config{Garments: 1, Hard: 2}); err == nil {
		t.Error("hard beyond 1")
	}
	if g := boards.GarmentOf(3, 1); g.Label != products.Items(2)[0].Label || g.Price <= 0 || g.Colour == "" {
		t.Errorf("garment %+v", g)
	}
}
