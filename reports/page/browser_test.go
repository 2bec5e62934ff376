package page

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"annbench/browsertest"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
)

// browser opens a browser in which every request for anything but the page itself is a complaint.
func browser(t *testing.T) (ctx context.Context, complaints func() []string) {
	t.Helper()
	return browsertest.Open(t, func(address string) bool {
		u, _, _ := strings.Cut(address, "#")
		return strings.HasPrefix(u, "data:") || strings.HasSuffix(u, "/"+File)
	})
}

// pageURL writes the report's page and returns where a browser finds it.
func pageURL(t *testing.T, r *judge.Report) string {
	t.Helper()
	b, err := Make(r, Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), File)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// media sets what the page is told of the reader's choice of colours.
func media(t *testing.T, ctx context.Context, scheme string) {
	t.Helper()
	p := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, p); err != nil {
		t.Fatal(err)
	}
}

// evaluate runs an expression in the page.
func evaluate[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func TestBrowser(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Usual().Write(t))
	ctx, complaints := browser(t)
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what, expression string) {
		t.Helper()
		if !evaluate[bool](t, ctx, expression) {
			t.Errorf("%s: %s is false", what, expression)
		}
	}
	began := time.Now()
	do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(pageURL(t, r)))
	t.Logf("loaded in %v", time.Since(began))

	const sort = `[...document.querySelectorAll("#table tbody tr")].map(r => r.querySelectorAll("td.n")[5]?.dataset.v).filter(v => v).map(parseFloat)`
	head := `[...document.querySelectorAll("#table thead button")].find(b => b.textContent === "QPS")`
	evaluate[bool](t, ctx, head+`.click(), true`)
	check("sorting by QPS", fmt.Sprintf(`(v => v.length > 10 && v.every((x, i) => i === 0 || v[i-1] <= x))(%s)`, sort))
	check("cells without values come last", `document.querySelector("#table tbody tr:last-child .bad") !== null`)
	evaluate[bool](t, ctx, head+`.click(), true`)
	check("sorting by QPS again", fmt.Sprintf(`(v => v.every((x, i) => i === 0 || v[i-1] >= x))(%s)`, sort))
	check("cells without values still come last", `document.querySelector("#table tbody tr:last-child .bad") !== null`)
	check("the head says so", head+`.parentElement.getAttribute("aria-sort") === "descending"`)

	do(chromedp.SendKeys(chromedp.CSS("#find"), "nprobe=8"))
	check("filtering by settings", `[...document.querySelectorAll("#table tbody tr:not([hidden])")].length === 3`)
	evaluate[bool](t, ctx, `(s => { s.value = "ivfflat-faiss"; s.onchange(); return true })(document.querySelector("#only"))`)
	check("filtering by family, too", `document.querySelector("#shown").textContent === "1 of 22 cells"`)

	const points = `[...document.querySelectorAll(".points .wide .of.f2[tabindex]")]`
	check("the forest is drawn", points+`.length === 4 && `+points+`.every(g => getComputedStyle(g).display !== "none")`)
	do(chromedp.Focus(chromedp.CSS("#t2")), chromedp.KeyEvent(" "))
	check("the legend hides it", points+`.every(g => getComputedStyle(g).display === "none")`)
	do(chromedp.KeyEvent(" "))
	check("the legend shows it again", points+`.every(g => getComputedStyle(g).display !== "none")`)

	evaluate[bool](t, ctx, points+`[2].focus(), true`)
	check("a focused mark shows its settings", `(d => !d.hidden && d.textContent.includes("search_k=1000") && d.textContent.includes("recall@10 0.97"))(document.querySelector("#tip"))`)
	do(chromedp.KeyEvent("\x1b"))
	check("Escape hides them", `document.querySelector("#tip").hidden`)

	check("one query is shown", `document.querySelectorAll(".query:not([hidden])").length === 1`)
	evaluate[bool](t, ctx, `document.querySelectorAll(".picker a")[2].click(), true`)
	check("the third query is shown", `document.querySelector(".query:not([hidden])").id === "q3"`)
	evaluate[bool](t, ctx, `document.querySelector("#all").click(), true`)
	check("all queries are shown", `document.querySelectorAll(".query:not([hidden])").length === 8`)
	check("photographs are drawn", `[...document.querySelectorAll(".store image")].every(i => i.href.baseVal.startsWith("data:image/jpeg;base64,")) && document.querySelectorAll(".store image").length > 20`)

	paper := `getComputedStyle(document.body).backgroundColor`
	media(t, ctx, "light")
	light := evaluate[string](t, ctx, paper)
	media(t, ctx, "dark")
	dark := evaluate[string](t, ctx, paper)
	if light == dark {
		t.Errorf("light and dark are both %s", light)
	}
	do(chromedp.Click(chromedp.CSS("#theme")))
	if got := evaluate[string](t, ctx, paper); got != light {
		t.Errorf("the button gives %s, want %s", got, light)
	}
	for _, width := range []int64{1280, 820, 390, 320} {
		do(chromedp.EmulateViewport(width, 800))
		check(fmt.Sprintf("nothing sticks out at %d pixels", width), `document.documentElement.scrollWidth <= innerWidth`)
	}
	for _, c := range complaints() {
		t.Error(c)
	}
}

// TestBrowserAxes changes what the large plot shows, by keyboard where a reader would.
func TestBrowserAxes(t *testing.T) {
	f := fixture.Everything()
	f.Ks = []int{10, 5}
	r := fixture.Load(t, judge.Load, f.Write(t))
	ctx, complaints := browser(t)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(pageURL(t, r))); err != nil {
		t.Fatal(err)
	}
	check := func(what, expression string) {
		t.Helper()
		if !evaluate[bool](t, ctx, expression) {
			t.Errorf("%s: %s is false", what, expression)
		}
	}
	const marks = `[...document.querySelectorAll(".points:not(.plot) .wide .of[tabindex]")]`
	before := evaluate[int](t, ctx, marks+`.length`)
	choose := func(id, text string) {
		t.Helper()
		evaluate[bool](t, ctx, fmt.Sprintf(`(s => { s.value = [...s.options].find(o => o.textContent === %q).value; s.dispatchEvent(new Event("change")); return true })(document.querySelector(%q))`, text, id))
	}
	check("the choices are there", `!document.querySelector(".axes").hidden`)
	for _, y := range []string{"p99", "resident", "wall build", "mAP", "wall QPS", "queries a second by processor time"} {
		choose("#ay", y)
		if got := evaluate[int](t, ctx, marks+`.length`); got != before {
			t.Errorf("%d marks over %s, %d at first", got, y, before)
		}
		check("it says so", fmt.Sprintf(`document.querySelector(".points .wide").getAttribute("aria-label").startsWith(%q)`, y+" over recall"))
		check("every mark is in the picture", marks+`.every(g => { const a = g.getBoundingClientRect(), b = g.ownerSVGElement.getBoundingClientRect(); return a.left >= b.left - 9 && a.right <= b.right + 9 && a.top >= b.top - 9 && a.bottom <= b.bottom + 9 })`)
		check("every path is drawn", `[...document.querySelectorAll(".points:not(.plot) path")].every(p => !p.getAttribute("d").includes("NaN"))`)
	}
	choose("#scale", "linear")
	choose("#ax", "resident")
	choose("#view", "k = 5, one query in flight")
	check("other terms, other marks", marks+`.length > 10`)
	evaluate[bool](t, ctx, marks+`[3].dispatchEvent(new PointerEvent("pointerenter"))`)
	check("a drawn mark shows its settings", `(d => !d.hidden && /cell [0-9a-f]{12}/.test(d.textContent))(document.querySelector("#tip"))`)
	check("a family is hidden", `(() => { document.querySelector("#t2").click(); const g = document.querySelectorAll(".points:not(.plot) .wide .of.f2[tabindex]"); return g.length > 0 && [...g].every(g => getComputedStyle(g).display === "none") })()`)
	for _, width := range []int64{1280, 390} {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 800)); err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("nothing sticks out at %d pixels", width), `document.documentElement.scrollWidth <= innerWidth`)
	}
	for _, c := range complaints() {
		t.Error(c)
	}
}

// TestBrowserHostile opens a page of hostile results: nothing of them may run or be asked for.
func TestBrowserHostile(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Hostile(t))
	ctx, complaints := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(pageURL(t, r))); err != nil {
		t.Fatal(err)
	}
	if !evaluate[bool](t, ctx, `document.scripts.length === 2 && document.images.length === 0 && /^[0-9]+ cells$/.test(document.querySelector("#shown").textContent)`) {
		t.Error("the page holds elements out of the results, or its script did not run")
	}
	for _, c := range complaints() {
		t.Error(c)
	}
}

// TestBrowserWithoutScript opens the page where scripts are off: everything is there to read.
func TestBrowserWithoutScript(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Usual().Write(t))
	ctx, _ := browser(t)
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(pageURL(t, r))); err != nil {
		t.Fatal(err)
	}
	nodes, err := chromedp.Run(ctx, chromedp.Nodes(chromedp.CSSAll(".query:not([hidden])")))
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes) != 8 {
		t.Errorf("%d queries are shown, want all 8", len(nodes))
	}
}

// TestScreens photographs the page of the folder named by ANNBENCH_RESULTS, or of the fixture, into
// the folder named by ANNBENCH_SCREENS.
func TestScreens(t *testing.T) {
	dir := os.Getenv("ANNBENCH_SCREENS")
	if dir == "" {
		t.Skip("ANNBENCH_SCREENS is not set")
	}
	results := os.Getenv("ANNBENCH_RESULTS")
	if results == "" {
		results = fixture.Everything().Write(t)
	}
	r, err := judge.Load(results)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, _ := browser(t)
	at := pageURL(t, r)
	for _, s := range []struct {
		name   string
		width  int64
		scheme string
	}{{"light", 1280, "light"}, {"dark", 1280, "dark"}, {"phone", 390, "light"}} {
		media(t, ctx, s.scheme)
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(s.width, 1000), chromedp.Navigate(at)); err != nil {
			t.Fatal(err)
		}
		height := evaluate[float64](t, ctx, `document.documentElement.scrollHeight`)
		took := evaluate[float64](t, ctx, `performance.getEntriesByType("navigation")[0].loadEventEnd`)
		t.Logf("%s: %v high, loaded in %.0f ms", s.name, height, took)
		const part = 1500
		for i := 0; float64(i*part) < height; i++ {
			evaluate[bool](t, ctx, fmt.Sprintf(`document.documentElement.style.scrollBehavior="auto";scrollTo(0,%d);true`, i*(part-60)))
			if err := chromedp.Do(ctx, chromedp.EmulateViewport(s.width, part), chromedp.Sleep(80*time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.png", s.name, i+1)), png, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	// The pictures of the documents: parts of the page, as a reader sees them.
	media(t, ctx, "light")
	for _, s := range []struct {
		name, selector string
		height         int64
	}{{"report", "body", 1080}, {"equal", "#tradeoff", 1240}, {"gallery", "#gallery", 1000}} {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, s.height), chromedp.Navigate(at)); err != nil {
			t.Fatal(err)
		}
		evaluate[bool](t, ctx, fmt.Sprintf(`document.documentElement.style.scrollBehavior="auto";document.querySelector(%q).scrollIntoView();scrollBy(0,%q==="body"?0:52);true`, s.selector, s.selector))
		if err := chromedp.Do(ctx, chromedp.Sleep(100*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, s.name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pdf, err := chromedp.Run(ctx, chromedp.PrintToPDF())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "print.pdf"), pdf, 0o644); err != nil {
		t.Fatal(err)
	}
}
