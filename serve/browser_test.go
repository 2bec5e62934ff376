package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"annbench/browsertest"
	"annbench/embedder/catalog"
)

// browser opens a browser in which every request to another host than this machine is a complaint.
func browser(t *testing.T) (ctx context.Context, complaints func() []string) {
	t.Helper()
	return browsertest.Open(t, func(u string) bool {
		return strings.HasPrefix(u, "http://127.0.0.1:") || strings.HasPrefix(u, "blob:http://127.0.0.1:") ||
			strings.HasPrefix(u, "data:") || u == "about:blank"
	})
}

// TestBrowser uses the page as people do, on a library with one drawn board.
func TestBrowser(t *testing.T) {
	drawn, err := catalog.RenderedBoards(catalog.Config{Boards: 2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	s := fixture(t, nil)
	s.Library.source = drawn
	s.Library.place()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(serving, l) }()
	base := "http://" + l.Addr().String()
	ctx, complaints := browser(t)
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	eval := func(expression string) bool {
		t.Helper()
		v, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
		return v
	}
	// await waits until an expression is true.
	await := func(what, expression string) {
		t.Helper()
		for end := time.Now().Add(hang); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
			if eval(expression) {
				return
			}
		}
		said, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		t.Fatalf("%s: %s stays false at %s", what, expression, said)
	}
	const tiles = `document.querySelectorAll("#columns .column .answers > li")`

	do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(base+"/"))
	await("browsing", fmt.Sprintf(`document.querySelectorAll("#items .tile").length === %d`, testItems))
	do(chromedp.SendKeys(chromedp.CSS("#find"), "shoe"))
	await("searching by name", `document.querySelectorAll("#items .tile").length === 20 && location.search.includes("q=shoe")`)

	// Pick an item: with the keyboard alone.
	eval(`document.querySelector("#items .tile").focus(), true`)
	do(chromedp.KeyEvent("\r"))
	await("picking", tiles+`.length === 20 && document.querySelector("#query-name").textContent === "shoe"`)
	await("recall is told", `[...document.querySelectorAll("#columns dt")].some(e => e.textContent === "recall")`)
	eval(`document.querySelector("#exact").click(), true`)
	await("exact search beside them", `document.querySelectorAll("#columns .column").length === 3`)
	eval(`document.querySelector("#columns .tile").focus(), true`)
	do(chromedp.KeyEvent("\r"))
	await("an answer becomes the query", `document.querySelectorAll("#columns .column").length === 3 && location.search.includes("exact")`)

	// The slider goes as far as the API: with k beyond the library, each list holds all but the query.
	slide := func(to string) {
		eval(fmt.Sprintf(`(k => { k.value = %s; k.dispatchEvent(new Event("change")); return true })(document.querySelector("#k"))`, to))
	}
	slide("k.max")
	await("the slider's end", fmt.Sprintf(`location.search.includes("k=%d") && %s.length >= 3 * %d`, maxK, tiles, s.Library.set.Base.Rows-1))
	slide("10")
	await("and back", tiles+`.length === 30`)

	// A link opens the same view.
	eval(`(s => { s.value = "coat & hat"; s.dispatchEvent(new Event("change")); return true })(document.querySelector("#category"))`)
	await("filtering", `[...document.querySelectorAll("#columns .name")].length > 0 && [...document.querySelectorAll("#columns .name")].every(e => e.textContent === "coat & hat")`)
	view, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + " " + [...document.querySelectorAll("#columns .tile")].map(e => e.title)`))
	if err != nil {
		t.Fatal(err)
	}
	address, titles, _ := strings.Cut(view, " ")
	do(chromedp.Navigate(address))
	await("the link shows the same", fmt.Sprintf(`[...document.querySelectorAll("#columns .tile")].map(e => e.title).join() === %q`, titles))

	// A filter says what it can ask for, and stays from item to item.
	await("attributes", `[...document.querySelectorAll("#attribute-list li")].map(e => e.textContent).some(x => /^price a number, .* to /.test(x)) && !document.querySelector("#attributes").hidden`)
	filterBy := func(text string) {
		eval(fmt.Sprintf(`(f => { f.value = %q; f.dispatchEvent(new Event("change")); return true })(document.querySelector("#filter"))`, text))
	}
	filterBy("fabric = 'silk'")
	await("the filter is in the address", `new URLSearchParams(location.search).get("filter") === "fabric = 'silk'" && /pass the filter/.test(document.querySelector("#query-facts").textContent)`)
	eval(`(a => { window.was = document.querySelector("#query-facts").textContent; a.click(); return true })(document.querySelector("#columns .tile"))`)
	await("the filter stays", `document.querySelector("#filter").value === "fabric = 'silk'" && document.querySelector("#query-facts").textContent !== window.was && new URLSearchParams(location.search).get("filter") === "fabric = 'silk'"`)
	// One that is wrong stays in the field, with what is wrong beside it, also from a link.
	filterBy("price <")
	wrong := `document.querySelector("#filter").value === "price <" && !!document.querySelector("#filter-problem").textContent && document.querySelector("#filter").ariaInvalid === "true" && !document.querySelector("#search-view").hidden && ` + tiles + `.length === 0`
	await("the filter is wrong", wrong)
	if address, err = chromedp.Run(ctx, chromedp.Evaluate[string](`location.href`)); err != nil {
		t.Fatal(err)
	}
	do(chromedp.Navigate(address))
	await("it is wrong in the link too", wrong+` && !!document.querySelector("#query-name").textContent`)
	filterBy("price < 10")
	await("and is corrected", `!document.querySelector("#filter-problem").textContent && document.querySelector("#filter").ariaInvalid === "false" && `+tiles+`.length > 0`)
	filterBy("")
	await("and goes", `!new URLSearchParams(location.search).has("filter")`)

	// A picture of one's own.
	img := image.NewRGBA(image.Rect(0, 0, 30, 30))
	for i := range 900 {
		img.Set(i%30, i/30, color.RGBA{G: 255, A: 255})
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	eval(fmt.Sprintf(`(() => { const d = new DataTransfer(), b = Uint8Array.from(atob(%q), c => c.charCodeAt(0));
		d.items.add(new File([b], "mine.png", {type: "image/png"}));
		const i = document.querySelector("#upload"); i.files = d.files; i.dispatchEvent(new Event("change")); return true })()`,
		base64.StdEncoding.EncodeToString(file.Bytes())))
	await("uploading", `document.querySelector("#query-name").textContent === "mine.png" && document.querySelector("#query-picture").naturalWidth === 30`)
	await("it finds what it shows", `document.querySelector("#columns .name")?.textContent === "shoe"`)

	// A box on a board.
	do(chromedp.Navigate(base + "/?board=b000000"))
	await("a board", `document.querySelector("#board-big img")?.naturalWidth > 100`)
	eval(`(() => { const b = document.querySelector("#board-big"), r = b.getBoundingClientRect();
		const at = (k, x, y, on) => on.dispatchEvent(new PointerEvent(k, {bubbles: true, clientX: r.left + x * r.width, clientY: r.top + y * r.height}));
		at("pointerdown", .1, .1, b); at("pointermove", .6, .5, window); at("pointerup", .6, .5, window); return true })()`)
	await("drawing a box", `location.search.includes("box=0.1") && `+tiles+`.length > 0 && document.querySelector("#query-kind").textContent.includes("drawn")`)

	// Narrow, dark, and with the server gone.
	do(chromedp.EmulateViewport(360, 740))
	await("narrow", `document.documentElement.scrollWidth <= innerWidth`)
	p := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, p); err != nil {
		t.Fatal(err)
	}
	await("dark", `getComputedStyle(document.body).backgroundColor === "rgb(18, 20, 24)"`)
	const refused = "log: Failed to load resource: the server responded with a status of 400 (Bad Request)" // the wrong filter, and its link
	if list := complaints(); !slices.Equal(list, []string{refused, refused}) {
		t.Errorf("the browser complains: %q", list)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	eval(`document.querySelector("#exact").click(), true`)
	await("the server is gone", `!document.querySelector("#offline").hidden && `+tiles+`.length > 0`)
}

// TestBrowserToken follows a shared link to a server that asks for a token: by way of a wrong one, it ends
// at its view.
func TestBrowserToken(t *testing.T) {
	s := fixture(t, func(c *Config) { c.Token = "correct horse" })
	s.patience.guess = 0
	base := "http://" + listen(t, s)
	ctx, complaints := browser(t)
	await := func(expression string) {
		t.Helper()
		for end := time.Now().Add(hang); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
			if v, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)); err == nil && v {
				return
			}
		}
		said, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		t.Fatalf("%s stays false at %s", expression, said)
	}
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	const link = "/?item=3&k=7"
	do(chromedp.Navigate(base + link))
	await(`document.querySelector("#token") === document.activeElement && document.querySelector("#wrong").offsetParent === null`)
	do(chromedp.SendKeys(chromedp.CSS("#token"), "wrong horse\r"))
	await(`document.querySelector("#wrong")?.offsetParent !== null && document.querySelector("#token").value === ""`)
	do(chromedp.SendKeys(chromedp.CSS("#token"), "correct horse\r"))
	await(fmt.Sprintf(`location.href === %q && document.querySelectorAll("#columns .column .answers > li").length === 14`, base+link))
	// The mark of a wrong token keeps the browser from moving the focus, of which it tells.
	if list := slices.DeleteFunc(complaints(), func(c string) bool { return strings.Contains(c, "Autofocus") }); len(list) > 0 {
		t.Errorf("the browser complains: %q", list)
	}
}
