package serve

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// attack is what is sent over a connection as it is, and the statuses of the answers, all of them, behind blanks.
type attack struct{ name, sent, want string }

// rawGet is a request with further header lines, each ended.
func rawGet(path, lines string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + lines + "\r\n"
}

// rawPost is a search by those header lines, which give its length.
func rawPost(lines, body string) string {
	return "POST " + api + "/search HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n" + lines + "\r\n" + body
}

// rawSearch is a search with a length that is right.
func rawSearch(json string) string {
	return rawPost(fmt.Sprintf("Content-Length: %d\r\n", len(json)), json)
}

// attacks are sent by [TestAttacks]. docs/results/serve.md says what kinds there are.
func attacks() []attack {
	const good = `{"item":1,"index":"exact"}` // 26 = 1a bytes
	const hidden = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
	long := strings.Repeat("a", 64<<10)
	all := []attack{
		// Where a request ends: a proxy and a server that disagree let one request hide in another.
		{"two lengths", rawPost("Content-Length: 26\r\nContent-Length: 0\r\n", good), "400"},
		{"two lengths in a line", rawPost("Content-Length: 26, 0\r\n", good), "400"},
		{"a length with a sign", rawPost("Content-Length: +26\r\n", good), "400"},
		{"a negative length", rawPost("Content-Length: -1\r\n", good), "400"},
		{"a length in hexadecimal", rawPost("Content-Length: 0x1a\r\n", good), "400"},
		{"a length without end", rawPost("Content-Length: 99999999999999999999\r\n", good), "400"},
		{"a length with a blank", rawPost("Content-Length: 2 6\r\n", good), "400"},
		{"no length, and a body", rawPost("", hidden), "400"},
		{"a length and chunks", rawPost("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "1a\r\n"+good+"\r\n0\r\n\r\n"+hidden), "200"},
		{"chunks twice", rawPost("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), "501"},
		{"chunks in two lines", rawPost("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "501"},
		{"chunks of gzip", rawPost("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "501"},
		{"an encoding that is near", rawPost("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), "501"},
		{"no encoding", rawPost("Transfer-Encoding: identity\r\n", hidden), "501"},
		{"an encoding behind a tab", rawPost("Transfer-Encoding:\tchunked\r\n", "0\r\n\r\n"+hidden), "400"},
		{"a blank before the colon", rawPost("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), "400"},
		{"a negative chunk", rawPost("Transfer-Encoding: chunked\r\n", "-1\r\n"+good), "400"},
		{"a chunk without end", rawPost("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"+good), "400"},
		{"a chunk that is no number", rawPost("Transfer-Encoding: chunked\r\n", "zz\r\n"+good), "400"},
		{"a chunk longer than it says", rawPost("Transfer-Encoding: chunked\r\n", "1\r\n"+good+"\r\n0\r\n\r\n"), "400"},
		{"a long extension of a chunk", rawPost("Transfer-Encoding: chunked\r\n", "1a;"+long+"\r\n"+good+"\r\n0\r\n\r\n"), "400"},
		{"chunks of a byte with extensions", rawPost("Transfer-Encoding: chunked\r\n", strings.Repeat("1;"+strings.Repeat("a", 1000)+"\r\n \r\n", 100)), "400"},
		{"long trailers", rawPost("Transfer-Encoding: chunked\r\nTrailer: X\r\n", "1a\r\n"+good+"\r\n0\r\nX: "+long+"\r\n\r\n"), "400"},
		{"a length in a trailer", rawPost("Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n", "0\r\n\r\n"), "400"},
		{"a request in the body of a GET", rawGet("/healthz", fmt.Sprintf("Content-Length: %d\r\n", len(hidden))) + hidden, "200"},
		// The line and the headers.
		{"no HTTP", "\x00\x01\x02\x03\r\n\r\n", "400"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"},
		{"SSH", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "400"},
		{"HTTP/0.9", "GET /\r\n\r\n", "400"},
		{"HTTP/9.9", "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", "505"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "403"},
		{"two blanks", "GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
		{"a method with a zero", "GE\x00T / HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
		{"a path with a zero", "GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
		{"a long method", long + " / HTTP/1.1\r\nHost: localhost\r\n\r\n", "431"},
		{"a long path", rawGet("/"+long, ""), "431"},
		{"a long header", rawGet("/", "X: "+long+"\r\n"), "431"},
		{"a long cookie", rawGet("/", "Cookie: annbench="+long+"\r\n"), "431"},
		{"many headers", rawGet("/", strings.Repeat("X: y\r\n", 20_000)), "431"},
		{"many headers that fit", rawGet("/", strings.Repeat("X: y\r\n", 1000)), "200"},
		{"a header with a zero", rawGet("/", "X: a\x00b\r\n"), "400"},
		{"a header with a carriage return", rawGet("/", "X: a\rSet-Cookie: b\r\n"), "400"},
		{"a header without a colon", rawGet("/", "X\r\n"), "400"},
		{"a header without a name", rawGet("/", ": y\r\n"), "400"},
		{"no host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "400"},
		{"two hosts", rawGet("/", "Host: evil.example\r\n"), "400"},
		{"a host with a path", "GET / HTTP/1.1\r\nHost: localhost/x\r\nConnection: close\r\n\r\n", "400"},
		{"a host with a name", "GET / HTTP/1.1\r\nHost: localhost@evil.example\r\nConnection: close\r\n\r\n", "400"},
		{"a host that begins well", "GET / HTTP/1.1\r\nHost: localhost.evil.example\r\nConnection: close\r\n\r\n", "403"},
		{"a host with two ports", "GET / HTTP/1.1\r\nHost: localhost:80:80\r\nConnection: close\r\n\r\n", "403"},
		{"another host in the line", "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "403"},
		{"as a proxy", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n", "403"},
		{"as a proxy to itself", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\nConnection: close\r\n\r\n", "405"},
		{"TRACE", "TRACE " + api + "/about HTTP/1.1\r\nHost: localhost\r\nCookie: a=secret\r\nConnection: close\r\n\r\n", "405"},
		{"a method that is made up", "BREW " + api + "/about HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "405"},
		{"a method in another", rawPost("X-HTTP-Method-Override: DELETE\r\nContent-Length: 26\r\n", good), "200"},
		{"an expectation", rawPost("Expect: 200-ok\r\nContent-Length: 26\r\n", good), "417"},
		{"another protocol", rawGet("/healthz", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n"), "200"},
		{"HTTP/2 in clear", rawGet("/healthz", "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), "200"},
		{"a thousand ranges", rawGet("/shop.js", "Range: bytes="+strings.Repeat("0-,", 1000)+"0-\r\n"), "200"},
		{"another site's page", rawPost("Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 26\r\n", good), "403"},
		{"another site's page in an old browser", rawPost("Origin: https://evil.example\r\nContent-Length: 26\r\n", good), "403"},
		{"a page without an origin", rawPost("Origin: null\r\nContent-Length: 26\r\n", good), "403"},
		{"a packed body", rawPost("Content-Encoding: gzip\r\nContent-Length: 26\r\n", "\x1f\x8b\x08\x00"+strings.Repeat("\x00", 22)), "400"},
	}
	// Paths that lead out of what there is, and lines in them.
	for _, path := range []string{
		"/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/..%5c..%5cwindows", "/%c0%ae%c0%ae/etc/passwd", "/.git/config",
		"/.env", "/debug/pprof/", "/page/index.html", "/openapi.json", "/shop.js/../../serve.go", "/shop.js%00.html", "/%0d%0aSet-Cookie:%20a=b", "//evil.example/x",
		"/api/v1/items/..%2f..%2fx/picture", "/api/v1/items/%00/picture", "/api/v1/items/99999999999999999999", "/api/v1/items/-1", "/api/v1/items/1e0",
		"/api/v1/boards/..%2f..%2fx/picture", "/api/v1/boards/%2fetc%2fpasswd", "/api/v1/boards/file:%2f%2f%2fetc%2fpasswd/picture",
	} {
		all = append(all, attack{path, rawGet(path, ""), "4.. or away"})
	}
	for _, query := range []string{
		"limit=-1", "limit=1e309", "limit=0x10", "limit=9223372036854775808", "from=-1", "from=99999999999999999999", "q=%00", "q=%ff", "category=%27%20or%201=1",
		"limit=1&limit=2", "limit=1;from=2", "__proto__=1", "limit=%zz",
	} {
		want := "400"
		switch {
		case strings.HasPrefix(query, "q="):
			want = "200" // nothing has that name
		case strings.HasPrefix(query, "category="):
			want = "404"
		}
		all = append(all, attack{"?" + query, rawGet(api+"/items?"+query, ""), want})
	}
	// Bodies.
	for name, json := range map[string]string{
		"deep lists": strings.Repeat("[", 100_000), "deep objects": strings.Repeat(`{"a":`, 100_000), "deep lists in a vector": `{"vector":` + strings.Repeat("[", 100_000),
		"a number of a million digits": `{"item":` + strings.Repeat("9", 1e6) + `}`, "an exponent of a million digits": `{"item":1e` + strings.Repeat("9", 1e6) + `}`,
		"a name of a megabyte": `{"` + strings.Repeat("a", 1e6) + `":1}`, "a million names": `{` + strings.Repeat(`"a":1,`, 1e6) + `"b":1}`,
		"no UTF-8": "{\"index\":\"\xff\xfe\"}", "half a pair": `{"index":"\ud800"}`, "a byte order mark": "\ufeff" + good, "UTF-16": "{\x00\"\x00i\x00",
		"a comment": `{"item":1,/* */"index":"exact"}`, "NaN": `{"vector":[NaN,0,0,0,0,0,0,0],"index":"exact"}`, "a prototype": `{"__proto__":{"item":1},"index":"exact"}`,
		"a long vector": `{"vector":[` + strings.Repeat("0,", 1e6) + `0],"index":"exact"}`, "no vector": `{"vector":[],"index":"exact"}`,
		"k is large": `{"item":1,"index":"exact","k":2147483648}`, "k is negative": `{"item":1,"index":"exact","k":-1}`, "k is a fraction": `{"item":1,"index":"exact","k":1.5}`,
		"an item beyond 64 bits": `{"item":18446744073709551616,"index":"exact"}`, "a box outside": `{"item":1,"board":"x","box":[-1,-1,1e308,1e308],"index":"exact"}`,
		"a filter as in SQL": `{"item":1,"index":"exact","filter":"' or 1=1; drop table items --"}`, "a filter that calls": `{"item":1,"index":"exact","filter":"sleep(10) = 1"}`,
		"an address as a picture": `{"image":"http://169.254.169.254/latest","index":"exact"}`, "a path as a picture": `{"image":"file:///etc/passwd","index":"exact"}`,
		"a page as a picture": `{"image":"PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==","index":"exact"}`, "base64 that is not closed": `{"image":"aGVsbG8","index":"exact"}`,
	} {
		all = append(all, attack{name, rawSearch(json), "4.."})
	}
	return all
}

// TestAttacks: each has the answers that it should, and none beside them; after all the server holds nothing of them.
func TestAttacks(t *testing.T) {
	s := fixture(t, nil)
	addr := listen(t, s)
	answers := regexp.MustCompile(`HTTP/1\.1 (\d{3}) `)
	away := regexp.MustCompile(`(?m)^Location: (?:\w+:|//)`)
	for _, a := range attacks() {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(hang))
		_, _ = io.WriteString(conn, a.sent) // the server may have refused it before its end
		got, _ := io.ReadAll(conn)
		conn.Close()
		var statuses []string
		for _, m := range answers.FindAllSubmatch(got, -1) {
			statuses = append(statuses, string(m[1]))
		}
		want := strings.Replace(a.want, " or away", "|30.", 1)
		if all := strings.Join(statuses, " "); !regexp.MustCompile("^(?:" + want + ")$").MatchString(all) {
			t.Errorf("%s: %q, want %s: %.300q", a.name, all, a.want, got)
		}
		if away.Match(got) {
			t.Errorf("%s leads away: %.300q", a.name, got)
		}
	}
	r, err := http.Get("http://" + addr + "/healthz")
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("after them: %v, %v", r, err)
	}
	r.Body.Close()
	if n, held := len(s.embeds.slots)+len(s.searches.slots), s.held.Load(); n != 0 || held != 0 {
		t.Errorf("%d slots and %d bytes are not given back", n, held)
	}
}
