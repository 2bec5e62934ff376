package indexes

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"annbench/indexes/vec"
)

var fruit = &Family{
	Name:    "fruit",
	Metrics: []vec.Metric{vec.L2},
	Build: []Param{
		{Name: "seeds", Kind: Int, Default: 5, Min: 1, Max: 100},
		{Name: "sugar", Kind: Float, Default: 0.5, Min: 0, Max: 1},
	},
	Search: []Param{{Name: "ripe", Kind: Bool, Default: true}},
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		in   Params
		want string // the settings in canonical form, or the error
	}{
		{nil, "ripe=true seeds=5 sugar=0.5"},
		{Params{"seeds": 7}, "ripe=true seeds=7 sugar=0.5"},
		{Params{"seeds": uint64(7), "sugar": 1, "ripe": false}, "ripe=false seeds=7 sugar=1"},
		{Params{"seeds": 7.0, "sugar": float32(0.25)}, "ripe=true seeds=7 sugar=0.25"},
		{Params{"seeds": int8(100)}, "ripe=true seeds=100 sugar=0.5"},
		{Params{"seeds": 7.5}, "fruit: seeds must be a whole number, not 7.5"},
		{Params{"seeds": 0}, "fruit: seeds must be between 1 and 100, not 0"},
		{Params{"seeds": math.Inf(1)}, "fruit: seeds must be between 1 and 100, not +Inf"},
		{Params{"sugar": math.NaN()}, "fruit: sugar must be between 0 and 1, not NaN"},
		{Params{"seeds": "many"}, "fruit: seeds must be a whole number, not many"},
		{Params{"seeds": nil}, "fruit: seeds must be a whole number, not <nil>"},
		{Params{"seeds": true}, "fruit: seeds must be a whole number, not true"},
		{Params{"ripe": 1}, "fruit: ripe must be true or false, not 1"},
		{Params{"Seed": 1}, `fruit: no setting "Seed"; did you mean "seeds"?`},
		{Params{"colour": 1}, `fruit: no setting "colour"; known are seeds, sugar, ripe`},
		// The first in order of names is reported.
		{Params{"zest": 1, "colour": 1, "sugar": 2}, `fruit: no setting "colour"; known are seeds, sugar, ripe`},
	} {
		p, err := fruit.Settings(fruit.all(), c.in)
		got := p.String()
		if err != nil {
			var setting *SettingError
			if !errors.As(err, &setting) || setting.Family != "fruit" {
				t.Errorf("%v: the error is a %T", c.in, err)
			}
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v: %s, want %s", c.in, got, c.want)
		}
	}
	if _, err := fruit.Settings(nil, Params{"seeds": 1}); err == nil || err.Error() != `fruit: no setting "seeds": there are none here` {
		t.Errorf("no settings at all: %v", err)
	}
}

func TestWords(t *testing.T) {
	colour := Param{Name: "colour", Kind: Word, Default: "red", Words: []string{"red", "green", "yellow"}, Doc: "of the skin"}
	f := &Family{Name: "fruit", Build: []Param{colour}}
	for _, c := range []struct {
		in   any
		want string // the word, or the error
	}{
		{"green", "green"},
		{"gren", `fruit: colour must be red, green or yellow, not "gren"; did you mean "green"?`},
		{"mauve", "fruit: colour must be red, green or yellow, not mauve"},
		{"", "fruit: colour must be red, green or yellow, not "},
		{3, "fruit: colour must be red, green or yellow, not 3"},
		{nil, "fruit: colour must be red, green or yellow, not <nil>"},
		{true, "fruit: colour must be red, green or yellow, not true"},
	} {
		p, err := f.Settings(f.Build, Params{"colour": c.in})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = p.Word("colour")
		}
		if got != c.want {
			t.Errorf("%v: %s, want %s", c.in, got, c.want)
		}
	}
	if p, err := f.Settings(f.Build, nil); err != nil || p.String() != "colour=red" {
		t.Errorf("the default: %v, %v", p, err)
	}
	for want, p := range map[string]Param{
		"red, green or yellow": colour,
		"1 to 64":              {Kind: Int, Min: 1, Max: 64},
		"":                     {Kind: Bool},
		"red":                  {Kind: Word, Words: []string{"red"}},
	} {
		if got := p.Range(); got != want {
			t.Errorf("range %q, want %q", got, want)
		}
	}
}

// What stands in an engine is found again by its reference, where that is of what is asked for.
func TestReference(t *testing.T) {
	f := &Family{
		Name: "far", Remote: &Remote{Engine: "somewhere"}, Metrics: []vec.Metric{vec.L2},
		Build:  []Param{{Name: "M", Kind: Int, Default: 8, Min: 1, Max: 64}, {Name: "type", Kind: Word, Default: "graph", Words: []string{"graph", "list"}}},
		Search: []Param{{Name: "ef", Kind: Int, Default: 10, Min: 1, Max: 100}},
	}
	in := BuildInput{
		Vectors: vec.NewMatrix(3, 2), Metric: vec.L2, Params: Params{"M": 16, "type": "list", "ef": 20},
		Address: "host:1", Name: "annbench_1", Data: []string{"/data"},
	}
	path := filepath.Join(t.TempDir(), "index")
	if err := saveReference(path, refer(f, in)); err != nil {
		t.Fatal(err)
	}
	r, params, err := loadReference(path, f, BuildInput{Metric: vec.L2, Params: Params{"M": 16, "ef": 30}})
	if err != nil || r.Address != "host:1" || r.Name != "annbench_1" || r.label.Rows != 3 || params.String() != "M=16 ef=30 type=list" {
		t.Fatalf("%+v, %v, %v", r, params, err)
	}
	for _, c := range []struct {
		in   BuildInput
		says string
	}{
		{BuildInput{Metric: vec.Cosine}, "for metric l2, not cosine"},
		{BuildInput{Metric: vec.L2, Params: Params{"M": 8}}, "built with M=16, not 8"},
		{BuildInput{Metric: vec.L2, Vectors: vec.NewMatrix(4, 2)}, "is of 3 vectors"},
	} {
		if _, _, err := loadReference(path, f, c.in); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v, want %q", err, c.says)
		}
	}
	in.Address = ""
	if err := saveReference(path, refer(f, in)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := loadReference(path, f, BuildInput{Metric: vec.L2}); err == nil || !strings.Contains(err.Error(), "not whole") {
		t.Errorf("a reference without an address: %v", err)
	}
}

// Whatever goes in, Settings gives what is complete, typed and in range, and gives it again for what
// it gave; or an error.
func TestSettingsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.Int().AsAny(), rapid.Int8().AsAny(), rapid.Uint16().AsAny(), rapid.IntRange(-2, 110).AsAny(),
			rapid.Float64().AsAny(), rapid.Float32Range(-1, 2).AsAny(), rapid.Bool().AsAny(), rapid.String().AsAny(),
		)
		in := Params(rapid.MapOf(rapid.SampledFrom([]string{"seeds", "sugar", "ripe"}), value).Draw(t, "settings"))
		p, err := fruit.Settings(fruit.all(), in)
		if err != nil {
			return
		}
		if n := p.Int("seeds"); n < 1 || n > 100 {
			t.Errorf("seeds=%d", n)
		}
		if x := p.Float("sugar"); !(x >= 0 && x <= 1) {
			t.Errorf("sugar=%v", x)
		}
		p.Bool("ripe")
		for name, v := range in {
			if x, ok := number(v); ok {
				if y, _ := number(p[name]); x != y {
					t.Errorf("%s: %v became %v", name, v, p[name])
				}
			}
		}
		again, err := fruit.Settings(fruit.all(), p)
		if err != nil || again.String() != p.String() {
			t.Errorf("%v became %v, %v", p, again, err)
		}
	})
}

func TestFamilies(t *testing.T) {
	names := map[string]bool{}
	for _, f := range Families() {
		got, err := Lookup(f.Name)
		if err != nil || got != f || names[f.Name] {
			t.Errorf("looking up %s: %v, %v", f.Name, got, err)
		}
		names[f.Name] = true
	}
	if _, err := Lookup("pgvector"); err == nil || err.Error() != `no index family "pgvector": of pgvector there are flat-pgvector, ivfflat-pgvector, hnsw-pgvector` {
		t.Errorf("looking up an engine: %v", err)
	}
	list := Families()
	list[0] = nil
	if Families()[0] == nil {
		t.Error("a caller can change the table")
	}
	if _, err := Lookup("hnsw-code"); err == nil || !strings.Contains(err.Error(), `did you mean "hnsw-coder"?`) {
		t.Errorf("a misspelt name: %v", err)
	}
	if _, err := Lookup("linear"); err == nil || !strings.Contains(err.Error(), "known are flat, exact, flat-faiss") {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestCheck(t *testing.T) {
	f := *fruit
	f.Fits = func(n, _ int, p Params) error {
		if p.Int("seeds") > n {
			return fmt.Errorf("seeds=%d of %d", p.Int("seeds"), n)
		}
		return nil
	}
	good := BuildInput{Vectors: vec.NewMatrix(5, 3), Metric: vec.L2}
	in, err := f.Check(good)
	if err != nil || in.Threads != 1 || in.Params.String() != "ripe=true seeds=5 sugar=0.5" {
		t.Errorf("%+v, %v", in, err)
	}
	for want, change := range map[string]func(in *BuildInput){
		`fruit: metric "ip" is not supported: it has [l2]`:              func(in *BuildInput) { in.Metric = vec.InnerProduct },
		"fruit: nothing to build from: 0 vectors of 3 dimensions":       func(in *BuildInput) { in.Vectors = vec.NewMatrix(0, 3) },
		"fruit: nothing to build from: 5 vectors of 0 dimensions":       func(in *BuildInput) { in.Vectors = vec.NewMatrix(5, 0) },
		"fruit: 5 vectors of 3 dimensions need 15 values, there are 14": func(in *BuildInput) { in.Vectors.Data = in.Vectors.Data[:14] },
		"fruit: seeds=9 of 5": func(in *BuildInput) { in.Params = Params{"seeds": 9} },
		"fruit: vector 1 holds NaN in dimension 2: indexes need finite values": func(in *BuildInput) { in.Vectors.Data[5] = float32(math.NaN()) },
		"fruit: sugar must be between 0 and 1, not 3":                          func(in *BuildInput) { in.Params = Params{"sugar": 3} },
	} {
		in := good
		in.Vectors = vec.NewMatrix(5, 3)
		change(&in)
		if _, err := f.Check(in); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f.Missing = "it is out of season"
	if _, err := f.Check(good); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), f.Missing) {
		t.Errorf("missing: %v", err)
	}
}

// The sizes, worked out by hand.
func TestBytes(t *testing.T) {
	for _, c := range []struct {
		family string
		p      Params
		want   int64
	}{
		{"flat", nil, 4 * 1000 * 10},
		// Two trees; leaves of 100 take 4 levels: 16 leaves and 15 cuts.
		{"forest", Params{"trees": 2, "leaf": 100, "bounds": false}, 4*1000*10 + 2*(4*1000+15*(4*10+12)+16*8)},
		{"forest", Params{"trees": 1, "leaf": 1000, "bounds": false}, 4*1000*10 + 4*1000 + 8},
		// A tree's entries take 63 blocks of 16 places, of 16 bytes and 12 each; 32 leaves three nodes, of a block.
		{"forest", Params{"trees": 2, "leaf": 100}, 4*1000*10 + 3*(16*28+8) + 2*(63*16*28+16*12)},
	} {
		f, err := Lookup(c.family)
		if err != nil {
			t.Fatal(err)
		}
		p, err := f.Settings(f.Build, c.p)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Bytes(1000, 10, p); got != c.want {
			t.Errorf("%s %v: %d bytes, want %d", c.family, c.p, got, c.want)
		}
	}
}

func TestEveryFamilyHasAnApproach(t *testing.T) {
	for _, f := range Families() {
		if !slices.ContainsFunc(Approaches, func(a struct{ Name, Doc string }) bool { return a.Name == f.Approach }) {
			t.Errorf("%s: no approach %q; the table approachOf goes by the name's beginning", f.Name, f.Approach)
		}
	}
}

// What a record says of an index's settings can be read again, for every family and kind of setting.
func TestParse(t *testing.T) {
	all := append(Families(), &Family{Name: "said", Build: []Param{
		{Name: "by", Kind: Text, Default: "a b", Check: func(string) error { return nil }},
		{Name: "k", Kind: Int, Default: 1, Min: 1, Max: 9},
	}})
	texts := []string{"", "of two words", "x=1 y=2", "two  spaces ", "é, =, k"}
	for _, f := range all {
		params := slices.Concat(f.Build, f.Search)
		rapid.Check(t, func(t *rapid.T) {
			p := Params{}
			for _, param := range params {
				switch param.Kind {
				case Bool:
					p[param.Name] = rapid.Bool().Draw(t, param.Name)
				case Int:
					p[param.Name] = rapid.IntRange(int(param.Min), int(min(param.Max, 1<<40))).Draw(t, param.Name)
				case Float:
					p[param.Name] = rapid.Float64Range(param.Min, min(param.Max, 1e9)).Draw(t, param.Name)
				case Word:
					p[param.Name] = rapid.SampledFrom(param.Words).Draw(t, param.Name)
				case Text:
					p[param.Name] = param.Default
					if f.Name == "said" {
						p[param.Name] = rapid.SampledFrom(texts).Draw(t, param.Name)
					}
				}
			}
			want, err := f.Settings(params, p)
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Parse(want.String())
			if err != nil || got.String() != want.String() {
				t.Fatalf("%s %q is read as %q, %v", f.Name, want, got, err)
			}
		})
	}
	for text, want := range map[string]string{
		"seeds":          `settings of fruit "seeds": word 1, "seeds", is not NAME=VALUE`,
		"seeds=7 stones": `settings of fruit "seeds=7 stones": word 2, "stones", is not NAME=VALUE`,
		"seeds=many":     `fruit: seeds must be a whole number, not many`,
		"ripe=7":         `fruit: ripe must be true or false, not 7`,
	} {
		if _, err := fruit.Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
