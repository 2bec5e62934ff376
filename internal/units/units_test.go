package units

import (
	"encoding"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"
)

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "300mb": 300e6, "300MiB": 300 << 20, "300 MB": 300e6, "4gb": 4e9, "4GiB": 4 << 30, "0.3 gb": 300e6,
		"10k": 10e3, "1,200,000 B": 1200000, "2tb": 2e12, ".5 KiB": 512, "1e3 B": 1000, " 1 b ": 1, "1.0000001kB": 1000,
	} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestParseTimes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "2ms": 2 * time.Millisecond, "1.5 s": 1500 * time.Millisecond, "1 min": time.Minute, "300us": 300 * time.Microsecond,
		"300µs": 300 * time.Microsecond, "300μs": 300 * time.Microsecond, "2h": 2 * time.Hour, "1m30s": 90 * time.Second, "2 hours": 2 * time.Hour, "1ns": 1,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestParseNumbers(t *testing.T) {
	share := func(s string) (float64, error) { return ParseShare(s) }
	count := func(s string) (float64, error) { n, err := ParseCount(s); return float64(n), err }
	for _, c := range []struct {
		parse func(string) (float64, error)
		text  string
		want  float64
	}{
		{share, "0.95", 0.95},
		{share, "95%", 0.95},
		{share, "95 %", 0.95},
		{share, "1", 1},
		{ParseRate, "10000", 10000},
		{ParseRate, "10,000", 10000},
		{ParseRate, "10k", 10000},
		{ParseRate, "2.5K/s", 2500},
		{ParseRate, "3 qps", 3},
		{count, "50,000", 50000},
		{count, "50k", 50000},
		{count, "1.5M", 1500000},
		{count, "1e6", 1000000},
	} {
		if got, err := c.parse(c.text); err != nil || got != c.want {
			t.Errorf("%q is read as %v, %v; want %v", c.text, got, err, c.want)
		}
	}
}

func TestErrorsOfferTheFix(t *testing.T) {
	for _, c := range []struct {
		to         encoding.TextUnmarshaler
		text, want string
	}{
		{new(Bytes), "300", "300 what? write 300MiB"},
		{new(Bytes), "1,200,000", "1,200,000 what? write 1.2MB"},
		{new(Bytes), "1e9", "1e9 what? write 1GB"},
		{new(Bytes), "4294967296", "4294967296 what? write 4GiB"},
		{new(Bytes), "123456789", "123456789 what? write 123456789B"},
		{new(VectorBytes), "256", "256 what? write 256B"},
		{new(VectorBytes), "-256B", `"-256B" is negative: write a size like 256B or 1KiB`},
		{new(Duration), "300", "300 what? write 300s or 300ms"},
		{new(Bytes), "4 GiBs", `"4 GiBs" has no known unit; did you mean 4GiB?`},
		{new(Bytes), "much", `"much" is not a size: write it like 300MB or 4GiB`},
		{new(Bytes), "", `"" is not a size: write it like 300MB or 4GiB`},
		{new(Bytes), "MB", `"MB" is not a size: write it like 300MB or 4GiB`},
		{new(Bytes), "-3MB", `"-3MB" is negative: write a size like 300MB or 4GiB`},
		{new(Bytes), "1,5GB", `"1,5GB" is not a size: write it like 300MB or 4GiB`},
		{new(Bytes), "1e300TB", `"1e300TB" is not a size: write it like 300MB or 4GiB`},
		{new(Bytes), "NaN MB", `"NaN MB" is not a size: write it like 300MB or 4GiB`},
		{new(Seconds), "2", "2 what? write 2s or 2ms"},
		{new(Seconds), "2 days", `"2 days" is not a time: write it like 2ms or 1m30s`},
		{new(Duration), "-1m30s", `"-1m30s" is not a time: write it like 2ms or 1m30s`},
		{new(Duration), "9e12h", `"9e12h" is not a time: write it like 2ms or 1m30s`},
		{new(Share), "95", `"95" is more than all: write a share like 0.95 or 95%`},
		{new(PerSecond), "fast", `"fast" is not a rate: write it like 10000 or 10k`},
		{new(Count), "1.5", `"1.5" is not a count: write it like 50000 or 50k`},
		{new(Count), "1e30", `"1e30" is not a count: write it like 50000 or 50k`},
	} {
		if err := c.to.UnmarshalText([]byte(c.text)); err == nil || err.Error() != c.want {
			t.Errorf("%q: error %v, want %s", c.text, err, c.want)
		}
	}
}

func TestYAML(t *testing.T) {
	var v struct {
		Memory Bytes
		Limit  Duration
	}
	if err := yaml.Unmarshal([]byte("memory: 4gb\nlimit: 1m30s"), &v); err != nil || v.Memory != 4e9 || v.Limit != Duration(90*time.Second) {
		t.Errorf("read %+v, %v", v, err)
	}
	if err := yaml.Unmarshal([]byte("memory: 300"), &v); err == nil || !strings.Contains(err.Error(), "300 what? write 300MiB") {
		t.Errorf("memory: 300 gives %v", err)
	}
}

// Whole bytes come back as they were, with each unit's own size.
func TestBytesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1<<20).Draw(t, "n")
		u := rapid.SampledFrom(sizes.units).Draw(t, "unit")
		text := strconv.FormatInt(n, 10) + rapid.SampledFrom([]string{"", " "}).Draw(t, "space") + u.name
		if got, err := ParseBytes(text); err != nil || got != n*int64(u.size) {
			t.Fatalf("ParseBytes(%q) = %d, %v; want %d", text, got, err, n*int64(u.size))
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"4gb", "1m30s", "95%", "10k", "1,000", "300"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseBytes(s); err == nil && n < 0 {
			t.Errorf("ParseBytes(%q) = %d", s, n)
		}
		if d, err := ParseDuration(s); err == nil && d < 0 {
			t.Errorf("ParseDuration(%q) = %v", s, d)
		}
		if x, err := ParseShare(s); err == nil && !(x >= 0 && x <= 1) {
			t.Errorf("ParseShare(%q) = %v", s, x)
		}
		if n, err := ParseCount(s); err == nil && n < 0 {
			t.Errorf("ParseCount(%q) = %d", s, n)
		}
	})
}
