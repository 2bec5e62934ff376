package serve

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"annbench/online"
)

// TestShop goes shopping on a phone, and finds all that it did in the report of the log.
func TestShop(t *testing.T) {
	s, dir := withExperiment(t, online.Interleaved)
	base := "http://" + listen(t, s)
	ctx, complaints := browser(t)
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	await := func(what, expression string) {
		t.Helper()
		for end := time.Now().Add(hang); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
			v, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
			if err != nil {
				t.Fatalf("%s: %v", expression, err)
			}
			if v {
				return
			}
		}
		said, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		t.Fatalf("%s: %s stays false at %s", what, expression, said)
	}
	const fits = `document.documentElement.scrollWidth <= innerWidth`
	const large = `[...document.querySelectorAll("button, input, #home")].filter(e => e.offsetParent).every(e => e.getBoundingClientRect().height >= 36)`
	do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile, chromedp.EmulateTouch), chromedp.Navigate(base+"/shop"))
	await("items", `document.querySelectorAll("#list > li").length === 60`)
	await("the page is as wide as the screen", fits)
	await("what is touched is large enough", large)
	do(chromedp.SendKeys(chromedp.CSS("#words"), "shoe\r"))
	await("searched by name", `document.querySelectorAll("#list > li").length === 20 && location.search === "?q=shoe"`)
	do(chromedp.Click(chromedp.CSS("#list > li:nth-child(3) .more")))
	await("a list", `document.querySelectorAll("#list > li").length === 12 && document.getElementById("list").dataset.impression !== ""`)
	await("the list is as wide as the screen", fits)
	do(chromedp.Click(chromedp.CSS("#list > li:nth-child(2) .picture")))
	await("an item is open", `document.getElementById("view").open`)
	do(chromedp.Click(chromedp.CSS("#view-buttons .add")))
	await("the basket", `document.getElementById("count").textContent === "1"`)
	await("the item is in the basket wherever it is shown", `document.querySelector("#list > li:nth-child(2) .add").disabled && document.querySelectorAll("#list .add:disabled").length === 1`)
	do(chromedp.Click(chromedp.CSS("#close-view")), chromedp.Click(chromedp.CSS("#open-basket")))
	await("the basket is open", `document.querySelectorAll("#kept li").length === 1 && !document.getElementById("basket").hidden`)
	do(chromedp.Click(chromedp.CSS("#close-basket")))
	do(chromedp.Evaluate[chromedp.Void](`document.getElementById("list").dataset.old = document.getElementById("list").dataset.impression`))
	do(chromedp.Click(chromedp.CSS("#list > li:nth-child(5) .more")))
	await("another list", `document.getElementById("list").dataset.impression !== document.getElementById("list").dataset.old`)
	do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	await("back", `document.getElementById("list").dataset.ready > 4`)
	do(chromedp.Evaluate[chromedp.Void](`location.href = "/shop"`))
	await("the basket outlives the page", `document.querySelectorAll("#list > li").length === 60 && document.getElementById("count").textContent === "1"`)
	do(chromedp.Click(chromedp.CSS("#open-basket")), chromedp.Click(chromedp.CSS("#kept button")))
	await("the basket is empty", `document.getElementById("count").textContent === "0" && document.getElementById("empty").offsetParent !== null && document.querySelectorAll(".add:disabled").length === 0`)
	for _, c := range complaints() {
		t.Error(c)
	}
	// Events are told beside what they lead to.
	var r *online.Report
	for end := time.Now().Add(hang); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var err error
		if r, err = online.Analyze(dir, ""); err != nil {
			t.Fatal(err)
		}
		if r.Events == 3 && r.Lists == 3 {
			break
		}
	}
	if r.Sessions != 1 || r.Lists != 3 || r.Events != 3 || r.Orphans != 0 {
		t.Errorf("%+v", r)
	}
}
