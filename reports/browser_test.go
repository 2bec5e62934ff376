package reports

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts a headless Chromium, or skips the test where there is none. complaints are the
// errors of the console and every request for anything but the page itself.
func browser(t *testing.T) (ctx context.Context, complaints func() []string) {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium is installed: the page was not tried in a browser")
	}
	var mu sync.Mutex
	var list []string
	listen := func(ev any) {
		said := ""
		switch ev := ev.(type) {
		case *cdpruntime.EventExceptionThrown:
			said = fmt.Sprintf("exception: %+v", ev.ExceptionDetails)
		case *cdpruntime.EventConsoleAPICalled:
			said = fmt.Sprintf("console: %s", ev.Type)
		case *cdplog.EventEntryAdded:
			said = "log: " + ev.Entry.Text
		case *network.EventRequestWillBeSent:
			if u, _, _ := strings.Cut(ev.Request.URL, "#"); !strings.HasPrefix(u, "data:") && !strings.HasSuffix(u, "/"+PageFile) {
				said = "request: " + u
			}
		}
		if said != "" {
			mu.Lock()
			defer mu.Unlock()
			list = append(list, said)
		}
	}
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithListener(listen), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-background-networking", true)))
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(stop)
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Skipf("Chromium does not start here, so the page was not tried in a browser: %v", err)
	}
	if _, err := chromedp.Call(ctx, cdplog.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), list...)
	}
}

// pageURL writes the report's page and returns where a browser finds it.
func pageURL(t *testing.T, r *Report) string {
	t.Helper()
	b, err := Page(r)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), PageFile)
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

// TestScreens photographs the page of the folder named by ANNBENCH_RESULTS, or of the fixture, into
// the folder named by ANNBENCH_SCREENS.
func TestScreens(t *testing.T) {
	dir := os.Getenv("ANNBENCH_SCREENS")
	if dir == "" {
		t.Skip("ANNBENCH_SCREENS is not set")
	}
	results := os.Getenv("ANNBENCH_RESULTS")
	if results == "" {
		results = usual().write(t)
	}
	r, err := Load(results)
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
		t.Logf("%s: %v high", s.name, height)
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
	media(t, ctx, "light")
	pdf, err := chromedp.Run(ctx, chromedp.PrintToPDF())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "print.pdf"), pdf, 0o644); err != nil {
		t.Fatal(err)
	}
}
