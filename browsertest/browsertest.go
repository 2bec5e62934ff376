// Package browsertest opens a headless Chromium for tests of pages. It is for test files alone, and knows
// nothing of any page; packages reports and serve try theirs in it.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Variable, set to "required", makes a missing browser a failure instead of a test that is left out.
const Variable = "ANNBENCH_CHROMIUM"

// Open starts the browser, which ends with the test and after ten minutes at the latest (a busy machine takes minutes); where there is
// none, the test is left out, or fails if [Variable] says so. complaints are the exceptions, the lines on
// the console and in the log, and the requests for any address that is not allowed, so far.
func Open(t *testing.T, allowed func(url string) bool) (ctx context.Context, complaints func() []string) {
	t.Helper()
	missing := t.Skipf
	if os.Getenv(Variable) == "required" {
		missing = t.Fatalf
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		missing("no Chromium is installed: the page was not tried in a browser")
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
			if !allowed(ev.Request.URL) {
				said = "request: " + ev.Request.URL
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
	ctx, stop := context.WithTimeout(ctx, 10*time.Minute)
	t.Cleanup(stop)
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		missing("Chromium does not start here, so the page was not tried in a browser: %v", err)
	}
	if _, err := chromedp.Call(ctx, cdplog.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}
