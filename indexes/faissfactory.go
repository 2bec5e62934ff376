package indexes

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"annbench/internal/words"
)

// A factory is what a description for Faiss's index_factory says of the index, without Faiss: which
// search settings it has, what it takes up in memory, and what it asks of the data. The grammar is that
// of Faiss 1.12.0 (index_factory.cpp), read in the same order, less what annbench cannot use: ids of the
// caller's (IDMap), indexes of bits, coarse quantisers on their own, lattices, and NSG.
type factory struct {
	text     string
	settings []string // search settings, by the names that Faiss's ParameterSpace has for them; and qb
	nlist    int      // cells of the outermost inverted lists, 0 without
	trains   bool
	lists    bool // vectors may be added in parts without a loss
	refined  string
	// exact says that distances are those of the vectors as they were given.
	exact bool
	// vectors says that the vectors as they were given are in it, or a multiple of them.
	vectors bool
	// blocks says that codes are laid out for many to be compared at once, so that none can be alone.
	blocks bool
	bytes  func(n, dim int) float64
	table  func(dim int) float64                          // bytes more under l2; nil is none
	fits   func(n, dim int) error                         // n is the number of vectors to train on
	work   func(n, train, dim int) (build, probe float64) // of n vectors, trained on train of them
}

// factoryExamples are the descriptions that an error offers, the most useful first.
var factoryExamples = []string{
	"IVF256,PQ64x4fs,RFlat", "IVF256,PQ64x4fsr,RFlat", "IVF256,PQ64np", "IVF256,PQ64x8np", "IVF256,PQ64np,RFlat",
	"IVF256,Flat", "IVF256,SQ8", "IVF256,SQ4,RFlat", "IVF256,SQfp16", "IVF256,RaBitQ,RFlat", "OPQ64,IVF256,PQ64x4fs,RFlat",
	"PCA128,IVF256,SQ8", "PCAR64,IVF256,Flat,RFlat", "IVF256,PQ64x4fs,Refine(SQ8)", "IVF65536_HNSW32,PQ64x4fs,RFlat",
	"HNSW32", "HNSW32,SQ8", "HNSW32,PQ64np", "HNSW32,SQ8,RFlat", "Flat", "SQ8", "SQfp16", "PQ64np", "PQ64x4fs",
	"RaBitQ", "LSH", "ITQ64,LSH", "RQ8x8", "LSQ8x8", "PRQ4x4x8", "IVF256,RQ8x8",
}

const (
	factoryLength = 200     // letters of a description
	factoryNumber = 1 << 24 // the largest number in it
	factoryDepth  = 4       // parentheses inside one another
)

var (
	factoryDigits = regexp.MustCompile(`[0-9]+`)

	reRefine    = regexp.MustCompile(`^(.+),RFlat$`)
	reRefineBy  = regexp.MustCompile(`^(.+),Refine\((.+)\)$`)
	rePCA       = regexp.MustCompile(`^PCA(W?)(R?)([0-9]+)$`)
	reTransform = regexp.MustCompile(`^(?:L2[nN]orm|RR([0-9]+)?|ITQ([0-9]+)?|OPQ([0-9]+)(?:_([0-9]+))?|Pad([0-9]+))$`)
	reIVF       = regexp.MustCompile(`^IVF([0-9]+)([kM]?)(?:_(HNSW|NSG)([0-9]*))?$`)
	reIVFIndex  = regexp.MustCompile(`^IVF([0-9]+)([kM]?)\((.+)\)$`)
	reIMI       = regexp.MustCompile(`^IMI2x([0-9]+)$`)
	reGraph     = regexp.MustCompile(`^(HNSW|NSG)([0-9]*)(?:[,_](.*))?$`)
	reSQ        = regexp.MustCompile(`^SQ(4|8|6|fp16|bf16|8_direct_signed|8_direct)$`)
	rePQ        = regexp.MustCompile(`^PQ([0-9]+)(?:x([0-9]+))?(np)?$`)
	rePQR       = regexp.MustCompile(`^PQ([0-9]+)\+([0-9]+)$`)
	rePQFS      = regexp.MustCompile(`^PQ([0-9]+)x4fs(r?)(?:_([0-9]+))?$`)
	reAQ        = regexp.MustCompile(`^(RQ|LSQ)([0-9]+x[0-9]+(?:_[0-9]+x[0-9]+)*)(` + aqNorm + `)$`)
	rePAQ       = regexp.MustCompile(`^(PRQ|PLSQ)([0-9]+)x([0-9]+)x([0-9]+)(` + aqNorm + `)$`)
	reAQFS      = regexp.MustCompile(`^(RQ|LSQ)([0-9]+)x4fs(r?)(?:_([0-9]+))?(` + aqNorm + `)$`)
	rePAQFS     = regexp.MustCompile(`^(PRQ|PLSQ)([0-9]+)x([0-9]+)x4fs(r?)(?:_([0-9]+))?(` + aqNorm + `)$`)
	reLSH       = regexp.MustCompile(`^LSH([0-9]*)(r?)(t?)$`)
)

const aqNorm = `|_Nnone|_Nfloat|_Nqint8|_Nqint4|_Ncqint8|_Ncqint4|_Nlsq2x4|_Nrq2x4`

// parseFactory reads a description. The error says what is wrong with it, and what would be right.
func parseFactory(text string) (*factory, error) {
	bad := func(format string, args ...any) (*factory, error) {
		return nil, fmt.Errorf("%q: %s", clip(text), fmt.Sprintf(format, args...))
	}
	if text == "" {
		return nil, fmt.Errorf("it is empty: write one as %q", factoryExamples[0])
	}
	if len(text) > factoryLength {
		return bad("%d letters are more than the %d that annbench takes", len(text), factoryLength)
	}
	for _, digits := range factoryDigits.FindAllString(text, -1) {
		if n, err := strconv.Atoi(digits); err != nil || n > factoryNumber {
			return bad("the number %s is more than %d", clip(digits), factoryNumber)
		}
	}
	f, err := factoryParser{whole: text}.index(text)
	if err != nil {
		return bad("%v", err)
	}
	f.text = text
	return f, nil
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}

// nearFactory is the example that is nearest to text, whatever the numbers.
func nearFactory(text string) string {
	bare := func(s string) string { return factoryDigits.ReplaceAllString(s, "0") }
	var forms []string
	for _, e := range factoryExamples {
		forms = append(forms, bare(e))
	}
	if near := words.Nearest(bare(text), forms); near != "" {
		return factoryExamples[slices.Index(forms, near)]
	}
	return factoryExamples[0]
}

// factoryParser reads parts of the description whole.
type factoryParser struct {
	whole string
	depth int
}

func (p factoryParser) unknown(text string) error {
	return fmt.Errorf("no %q in Faiss; near to the whole is %q", clip(text), nearFactory(p.whole))
}

// index reads a whole description, as index_factory_sub does.
func (p factoryParser) index(s string) (*factory, error) {
	if p.depth > factoryDepth {
		return nil, fmt.Errorf("more than %d parentheses inside one another", factoryDepth)
	}
	if strings.Contains(s, "IDMap") {
		return nil, errors.New("leave IDMap out: an answer's ID is a row number of the vectors")
	}
	if m := reRefine.FindStringSubmatch(s); m != nil {
		return p.refine(m[1], "Flat", "flat")
	}
	if m := reRefineBy.FindStringSubmatch(s); m != nil {
		return p.refine(m[1], m[2], "codes")
	}
	if head, rest, ok := strings.Cut(s, ","); ok {
		if t, err := parseTransform(head); err != nil {
			return nil, err
		} else if t != nil {
			inside, err := p.index(rest)
			if err != nil {
				return nil, err
			}
			return t.before(inside), nil
		}
	}
	if c, err := parseCode(s, false); c != nil || err != nil {
		if err != nil {
			return nil, err
		}
		return c.flat(), nil
	}
	if m := reGraph.FindStringSubmatch(s); m != nil {
		return p.graph(m[1], m[2], m[3])
	}
	if strings.HasPrefix(s, "MinMax") {
		return nil, fmt.Errorf("%s makes codes, which Faiss cannot search: leave MinMax out", clip(s))
	}
	return p.ivf(s)
}

func (p factoryParser) refine(base, by, kind string) (*factory, error) {
	b, err := p.index(base)
	if err != nil {
		return nil, err
	}
	if b.refined != "" {
		return nil, fmt.Errorf("%s is refined already, and answers are compared again once: leave one of them out", clip(base))
	}
	p.depth++
	r, err := p.index(by)
	if err != nil {
		return nil, err
	}
	if len(r.settings) > 0 || r.blocks {
		return nil, fmt.Errorf("Refine(%s) is not one code for each vector: write Refine(SQ8), Refine(SQfp16) or RFlat", clip(by))
	}
	return &factory{
		settings: append([]string{"k_factor_rf"}, b.settings...),
		nlist:    b.nlist, trains: b.trains || r.trains, refined: kind, exact: r.exact, vectors: b.vectors || r.vectors,
		bytes: func(n, dim int) float64 { return b.bytes(n, dim) + r.bytes(n, dim) },
		fits: func(n, dim int) error {
			if err := b.fits(n, dim); err != nil {
				return err
			}
			return r.fits(n, dim)
		},
		table: b.table,
		work:  b.work,
	}, nil
}

// A transform changes vectors before they are indexed.
type transform struct {
	name  string
	out   func(dim int) int
	fits  func(n, dim int) error
	bytes func(dim int) float64
	keeps bool                         // distances stay what they were
	plain bool                         // needs no training
	learn func(train, dim int) float64 // work of its training; nil where there is none
}

func parseTransform(s string) (*transform, error) {
	matrix := func(out func(int) int) func(int) float64 {
		return func(dim int) float64 { return 4 * float64(dim) * float64(out(dim)) }
	}
	same := func(dim int) int { return dim }
	to := func(digits string) func(int) int {
		if digits == "" {
			return same
		}
		n := atoi(digits)
		return func(int) int { return n }
	}
	// narrower reports an output that is none, or wider than the input.
	narrower := func(name string, out func(int) int) func(int, int) error {
		return func(_, dim int) error {
			if o := out(dim); o > dim {
				return fmt.Errorf("%s makes %d of %d dimensions: use at most %d", name, o, dim, dim)
			}
			return nil
		}
	}
	if m := rePCA.FindStringSubmatch(s); m != nil {
		out := to(m[3])
		if out(0) < 1 {
			return nil, fmt.Errorf("%s leaves no dimension: use PCA%s%s64, say", s, m[1], m[2])
		}
		return &transform{name: s, out: out, fits: func(n, dim int) error {
			if err := narrower(s, out)(n, dim); err != nil {
				return err
			}
			if n < out(dim) {
				return fmt.Errorf("%s needs at least %d vectors to train on, there are %d", s, out(dim), n)
			}
			return nil
		}, bytes: func(dim int) float64 { return 4 * float64(dim) * float64(dim+out(dim)+2) }, learn: rounds(1, func(dim int) int { return dim }, 0, eigen)}, nil
	}
	m := reTransform.FindStringSubmatch(s)
	switch {
	case m == nil:
		return nil, nil
	case strings.HasPrefix(s, "L2"):
		return &transform{name: s, out: same, plain: true, fits: always, bytes: func(int) float64 { return 0 }}, nil
	case strings.HasPrefix(s, "RR"):
		out := to(m[1])
		if m[1] != "" && out(0) < 1 {
			return nil, fmt.Errorf("%s leaves no dimension", s)
		}
		if m[1] != "" && out(0) > 1<<16 {
			return nil, fmt.Errorf("%s makes more than %d dimensions", s, 1<<16)
		}
		return &transform{name: s, out: out, keeps: m[1] == "", fits: always, bytes: matrix(out)}, nil
	case strings.HasPrefix(s, "ITQ"):
		out := to(m[2])
		if m[2] != "" && out(0) < 1 {
			return nil, fmt.Errorf("%s leaves no dimension", s)
		}
		return &transform{name: s, out: out, fits: func(n, dim int) error {
			if err := narrower(s, out)(n, dim); err != nil {
				return err
			}
			if n < dim {
				return fmt.Errorf("%s needs at least %d vectors to train on, there are %d", s, dim, n)
			}
			return nil
		}, bytes: matrix(out), learn: rounds(50, out, 0, singular)}, nil
	case strings.HasPrefix(s, "OPQ"):
		parts, out := atoi(m[3]), to(m[4])
		if parts < 1 || (m[4] != "" && out(0) < 1) {
			return nil, fmt.Errorf("%s leaves nothing: use OPQ64, say", s)
		}
		if m[4] != "" && out(0)%parts != 0 {
			return nil, fmt.Errorf("%s: %d parts do not divide %d dimensions: use OPQ%s_%d", s, parts, out(0), m[3], parts*max(1, out(0)/parts))
		}
		return &transform{name: s, out: out, keeps: m[4] == "", fits: func(n, dim int) error {
			if err := narrower(s, out)(n, dim); err != nil {
				return err
			}
			if o := out(dim); o%parts != 0 {
				return fmt.Errorf("%s: %d parts do not divide %d dimensions: use OPQ%s", s, parts, o, nearestDivisors(o, parts, " or OPQ"))
			}
			if n < 256 {
				return fmt.Errorf("%s needs at least 256 vectors to train on, there are %d", s, n)
			}
			return nil
		}, bytes: matrix(out), learn: rounds(50, out, 1<<11, singular)}, nil
	default: // Pad
		n := atoi(m[5])
		if n > 1<<16 {
			return nil, fmt.Errorf("%s makes more than %d dimensions", s, 1<<16)
		}
		return &transform{name: s, out: func(dim int) int { return max(dim, n) }, keeps: true, plain: true, fits: always, bytes: func(int) float64 { return 0 }}, nil
	}
}

// eigen and singular are what decompositions of a matrix cost in cubes of the dimensions, by its eigenvectors (PCA) and
// by its singular values (OPQ, ITQ): measured at 512 dimensions.
const (
	eigen    = 20
	singular = 80
)

// rounds is the work of learning a rotation in so many rounds: each is a product of the vectors that it is trained on
// with a matrix, choosing among so many entries of codes for each of them, and the decomposition of a matrix, which costs
// cubes times the cube of the dimensions for any number of vectors.
func rounds(n int, out func(dim int) int, entries int, cubes float64) func(train, dim int) float64 {
	return func(train, dim int) float64 {
		rows, d := float64(min(train, 1<<16)), float64(dim)
		return float64(n) * (rows*d*float64(out(dim)+entries) + cubes*d*d*d)
	}
}

func always(int, int) error { return nil }

// before puts t before what inside describes.
func (t *transform) before(inside *factory) *factory {
	out := *inside
	out.trains = inside.trains || !t.plain
	out.exact = inside.exact && t.keeps
	out.vectors = inside.vectors && t.keeps
	out.bytes = func(n, dim int) float64 { return t.bytes(dim) + inside.bytes(n, t.out(dim)) }
	if inside.table != nil {
		out.table = func(dim int) float64 { return inside.table(t.out(dim)) }
	}
	out.fits = func(n, dim int) error {
		if err := t.fits(n, dim); err != nil {
			return err
		}
		return inside.fits(n, t.out(dim))
	}
	out.work = func(n, train, dim int) (build, probe float64) {
		build, probe = inside.work(n, train, t.out(dim))
		once := float64(dim) * float64(t.out(dim))
		if t.learn != nil {
			build += t.learn(train, dim)
		}
		return build + float64(n)*once, probe + once
	}
	return &out
}

// A code is what stands for one vector.
type code struct {
	name     string
	size     func(dim int) float64   // bytes a vector
	fixed    func(dim int) float64   // bytes for all: code books
	lists    func(nlist int) float64 // bytes of their own
	table    func(nlist int) float64 // bytes of what Faiss computes for them under l2
	settings []string
	least    int // vectors to train on
	parts    int // that must divide the dimensions
	trains   bool
	exact    bool
	vectors  bool
	blocks   bool                            // see factory
	lookups  func(dim int) float64           // work of comparing with one code, in components
	learn    func(n, train, dim int) float64 // work of training on train of n vectors, and of encoding all
}

// parseCode reads what a vector is kept as, in inverted lists or without.
func parseCode(s string, lists bool) (*code, error) {
	nothing := func(int) float64 { return 0 }
	c := &code{name: s, fixed: nothing, lists: nothing, table: nothing, lookups: func(dim int) float64 { return float64(dim) }, learn: func(int, int, int) float64 { return 0 }}
	if s == "Flat" || (lists && s == "FlatDedup") {
		c.size, c.exact, c.vectors = func(dim int) float64 { return 4 * float64(dim) }, true, true
		return c, nil
	}
	if m := reSQ.FindStringSubmatch(s); m != nil {
		bits := map[string]int{"4": 4, "6": 6, "8": 8, "fp16": 16, "bf16": 16, "8_direct": 8, "8_direct_signed": 8}[m[1]]
		c.size = func(dim int) float64 { return float64((dim*bits + 7) / 8) }
		if bits < 16 && len(m[1]) == 1 {
			c.trains, c.least = true, 1
			c.fixed = func(dim int) float64 { return 8 * float64(dim) }
		}
		return c, nil
	}
	if m := rePQ.FindStringSubmatch(s); m != nil {
		nbits := 8
		if m[2] != "" {
			nbits = atoi(m[2])
		}
		if err := c.quantiser(atoi(m[1]), nbits, 16); err != nil {
			return nil, err
		}
		parts, entries := c.parts, 1<<nbits
		c.size = func(int) float64 { return float64((parts*nbits + 7) / 8) }
		if nbits == 8 {
			c.settings = []string{"ht"}
		}
		if m[3] == "" {
			c.polysemous(entries)
		}
		c.table = func(nlist int) float64 { // none where it would be over 2 GiB
			table := 4 * float64(nlist) * float64(parts) * float64(entries)
			if table > 1<<31 {
				return 0
			}
			return table
		}
		return c, nil
	}
	if m := rePQFS.FindStringSubmatch(s); m != nil && (lists || m[2] == "") {
		if err := c.quantiser(atoi(m[1]), 4, 4); err != nil {
			return nil, err
		}
		return c, c.fastScan((c.parts+1)/2*2, m[3], m[2] != "")
	}
	if m := rePQR.FindStringSubmatch(s); m != nil && lists {
		if err := c.quantiser(atoi(m[1]), 8, 8); err != nil {
			return nil, err
		}
		second := atoi(m[2])
		if second < 1 {
			return nil, fmt.Errorf("%s: a code of no parts", s)
		}
		first := c.parts
		c.size = func(int) float64 { return float64(first + second) }
		c.settings = []string{"ht", "k_factor"}
		c.parts = lcm(first, second)
		return c, nil
	}
	if m := reAQ.FindStringSubmatch(s); m != nil {
		total, most := 0, 0
		for _, group := range strings.Split(m[2], "_") {
			many, nbits, _ := strings.Cut(group, "x")
			if atoi(many) < 1 || atoi(many) > 4096 {
				return nil, fmt.Errorf("%s: the number of codes must be 1 to 4096, not %s", s, many)
			}
			total, most = total+atoi(many)*atoi(nbits), max(most, atoi(nbits))
			if atoi(nbits) < 1 || atoi(nbits) > 12 {
				return nil, fmt.Errorf("%s: the bits of a code must be 1 to 12, not %s", s, nbits)
			}
		}
		return c, c.additive(total, most, m[3])
	}
	if m := rePAQ.FindStringSubmatch(s); m != nil {
		splits, many, nbits := atoi(m[2]), atoi(m[3]), atoi(m[4])
		if splits < 1 || many < 1 || many > 4096 || splits > 4096 || nbits < 1 || nbits > 12 {
			return nil, fmt.Errorf("%s: write %s4x8x8, say: splits and codes of 1 to 4096, bits of 1 to 12", s, m[1])
		}
		c.parts = splits
		return c, c.additive(splits*many*nbits, nbits, m[5])
	}
	if m := reAQFS.FindStringSubmatch(s); m != nil && (lists || m[3] == "") {
		if many := atoi(m[2]); many < 1 || many > 4096 {
			return nil, fmt.Errorf("%s: the number of codes must be 1 to 4096, not %s", s, m[2])
		}
		if err := c.additive(4*atoi(m[2]), 4, m[5]); err != nil {
			return nil, err
		}
		return c, c.fastScan((atoi(m[2])+2+1)/2*2, m[4], false)
	}
	if m := rePAQFS.FindStringSubmatch(s); m != nil && (lists || m[4] == "") {
		splits, many := atoi(m[2]), atoi(m[3])
		if splits < 1 || many < 1 || splits > 4096 || many > 4096 {
			return nil, fmt.Errorf("%s: splits and codes must be 1 to 4096", s)
		}
		c.parts = splits
		if err := c.additive(4*splits*many, 4, m[6]); err != nil {
			return nil, err
		}
		return c, c.fastScan((splits*many+2+1)/2*2, m[5], false)
	}
	if s == "RaBitQ" {
		c.size = func(dim int) float64 { return float64((dim+7)/8 + 8) }
		c.trains, c.least, c.settings = true, 1, []string{"qb"}
		return c, nil
	}
	if m := reLSH.FindStringSubmatch(s); m != nil && !lists {
		if m[1] != "" && (atoi(m[1]) < 1 || atoi(m[1]) > 1<<16) {
			return nil, fmt.Errorf("%s: the bits must be 1 to %d", s, 1<<16)
		}
		nbits := func(dim int) int {
			if m[1] == "" {
				return dim
			}
			return atoi(m[1])
		}
		if m[1] != "" && m[2] == "" {
			c.parts = -atoi(m[1]) // must not be more than the dimensions
		}
		c.trains, c.least = m[3] != "", 1
		c.size = func(dim int) float64 { return float64((nbits(dim) + 7) / 8) }
		c.fixed = func(dim int) float64 { return 4 * float64(dim) * float64(nbits(dim)) }
		return c, nil
	}
	return nil, nil
}

func lcm(a, b int) int {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}

// quantiser fills in a product quantiser of parts codes of nbits.
func (c *code) quantiser(parts, nbits, most int) error {
	if parts < 1 || parts > 1<<16 {
		return fmt.Errorf("%s: the codes of a vector must be 1 to %d, not %d", c.name, 1<<16, parts)
	}
	if nbits < 1 || nbits > most {
		return fmt.Errorf("%s: the bits of a code must be 1 to %d, not %d", c.name, most, nbits)
	}
	entries := 1 << nbits
	c.parts, c.least, c.trains = parts, entries, true
	c.fixed = func(dim int) float64 { return 4 * float64(dim) * float64(entries) }
	c.lookups = func(int) float64 { return float64(parts) }
	c.learn = func(n, train, dim int) float64 {
		rows := min(float64(train), 256*float64(entries))
		const part = 1000 // of choosing an entry, beside comparing with all: it shows where they are few
		return (25*rows + float64(n)) * (float64(entries)*float64(dim) + part*float64(parts))
	}
	return nil
}

// polysemous adds the work of Faiss's polysemous training (Douze, Jégou, Perronnin: Polysemous codes, ECCV 2016), which
// depends on the codes alone: for each of a vector's parts twice half a million exchanges of two entries, each of which
// looks at every entry, and takes about as long as 64 multiplications for it.
func (c *code) polysemous(entries int) {
	learn := c.learn
	once := 2 * 500_000 * 64 * float64(c.parts) * float64(entries)
	c.learn = func(n, train, dim int) float64 { return learn(n, train, dim) + once }
}

// fastScan makes c's codes those of blocks of vectors, in the order of SIMD registers: half a byte for
// each of parts.
func (c *code) fastScan(parts int, block string, residual bool) error {
	size := 32
	if block != "" {
		size = atoi(block)
		if size < 32 || size%32 != 0 || size > 4096 {
			return fmt.Errorf("%s: a block must be a multiple of 32 vectors, up to 4096, not %s", c.name, block)
		}
	}
	c.blocks = true
	bytes := float64(parts) / 2
	c.size = func(int) float64 { return bytes }
	c.settings = nil
	c.table = func(nlist int) float64 {
		if !residual {
			return 0
		}
		return 4 * float64(nlist) * float64(parts) * 16
	}
	c.lists = func(nlist int) float64 { return float64(nlist) * float64(size) / 2 * bytes }
	c.lookups = func(int) float64 { return float64(parts) / 16 }
	return nil
}

// additive makes c's codes sums of entries of code books, with so many bits in all, and the norm of each
// vector as asked.
func (c *code) additive(total, most int, norm string) error {
	extra := map[string]int{"": 0, "_Nnone": 0, "_Nfloat": 32, "_Nqint8": 8, "_Ncqint8": 8, "_Nlsq2x4": 8, "_Nrq2x4": 8, "_Nqint4": 4, "_Ncqint4": 4}[norm]
	c.size = func(int) float64 { return float64((total + extra + 7) / 8) }
	codes := max(1, total/most)
	c.fixed = func(dim int) float64 {
		return 4 * float64(codes) * float64(int(1)<<most) * float64(dim) / float64(max(1, c.parts))
	}
	c.trains, c.least = true, 1<<most
	if strings.HasPrefix(norm, "_Nlsq") || strings.HasPrefix(norm, "_Nrq") || norm == "_Ncqint8" {
		c.least = max(c.least, 256)
	}
	c.learn = func(n, train, dim int) float64 {
		return (49*float64(train) + float64(n)) * float64(codes) * float64(int(1)<<most) * float64(dim)
	}
	return nil
}

// check reports what c cannot make of n vectors of dim dimensions.
func (c *code) check(n, dim int) error {
	if c.parts > 0 && dim%c.parts != 0 {
		return fmt.Errorf("%s: %d parts do not divide the %d dimensions: %s parts do", c.name, c.parts, dim, nearestDivisors(dim, c.parts, " or "))
	}
	if c.parts < 0 && -c.parts > dim {
		return fmt.Errorf("%s: more bits than the %d dimensions need a rotation: write %sr", c.name, dim, c.name)
	}
	if c.least > n {
		return fmt.Errorf("%s needs at least %d vectors to train on, there are %d", c.name, c.least, n)
	}
	return nil
}

// flat is c's code for each vector, and nothing else: a search compares with all.
func (c *code) flat() *factory {
	return &factory{
		settings: c.settings, trains: c.trains, exact: c.exact, vectors: c.vectors, blocks: c.blocks,
		bytes: func(n, dim int) float64 { return float64(n)*c.size(dim) + c.fixed(dim) },
		fits:  c.check,
		work: func(n, train, dim int) (build, probe float64) {
			return c.learn(n, train, dim) + float64(n)*float64(dim), float64(n) * c.lookups(dim)
		},
	}
}

// graph is a graph over codes.
func (p factoryParser) graph(kind, links, of string) (*factory, error) {
	m := 32
	if links != "" {
		m = atoi(links)
	}
	if kind == "NSG" {
		return nil, errors.New("NSG is not offered: Faiss's never comes to an end where more vectors are equal than it has links, or where a search keeps more candidates than there are vectors; HNSW32 is near")
	}
	if m < 2 || m > 1024 {
		return nil, fmt.Errorf("%s%s: the links of a vector must be 2 to 1024", kind, links)
	}
	if of == "" {
		of = "Flat"
	}
	c, err := parseCode(of, false)
	if err != nil {
		return nil, err
	}
	if c == nil || !(c.exact || reSQ.MatchString(of) || rePQ.MatchString(of)) {
		return nil, fmt.Errorf("%s is over Flat, SQ8 (4, 6, fp16, bf16) or PQ64, not over %q", kind, clip(of))
	}
	f := c.flat()
	plain := f.bytes
	f.settings = []string{"efSearch"}
	f.bytes = func(n, dim int) float64 {
		return plain(n, dim) + float64(hnswBytes(n, dim, Params{"M": m})) - 4*float64(n)*float64(dim)
	}
	f.work = func(n, train, dim int) (build, probe float64) {
		build, probe = hnswWork(n, dim, Params{"M": m, "efConstruction": 40, "efSearch": 16})
		return build + c.learn(n, train, dim), probe
	}
	return f, nil
}

// ivf is inverted lists over codes.
func (p factoryParser) ivf(s string) (*factory, error) {
	head, rest := cutOutside(s)
	var nlist int
	var settings []string
	var least int
	coarse := func(dim int) float64 { return 4 * float64(nlist) * float64(dim) }
	fits := always
	switch {
	case reIVF.MatchString(head):
		m := reIVF.FindStringSubmatch(head)
		nlist = cells(m[1], m[2])
		least = nlist
		if m[3] != "" {
			q, err := p.graph(m[3], m[4], "")
			if err != nil {
				return nil, err
			}
			coarse = func(dim int) float64 { return q.bytes(nlist, dim) }
			settings = []string{"quantizer_efSearch"}
		}
	case reIVFIndex.MatchString(head):
		m := reIVFIndex.FindStringSubmatch(head)
		nlist = cells(m[1], m[2])
		least = nlist
		p.depth++
		q, err := p.index(m[3])
		if err != nil {
			return nil, err
		}
		for _, name := range q.settings {
			settings = append(settings, "quantizer_"+name)
		}
		coarse = func(dim int) float64 { return q.bytes(nlist, dim) }
		fits = func(_, dim int) error { return q.fits(nlist, dim) }
	case reIMI.MatchString(head):
		nbits := atoi(reIMI.FindStringSubmatch(head)[1])
		if nbits < 1 || nbits > 12 {
			return nil, fmt.Errorf("%s: the bits must be 1 to 12", head)
		}
		nlist, least = 1<<(2*nbits), 1<<nbits
		settings = []string{"max_codes"}
		coarse = func(dim int) float64 { return 4 * float64(int(1)<<nbits) * float64(dim) }
		fits = func(_, dim int) error {
			if dim%2 != 0 {
				return fmt.Errorf("%s cuts a vector in two, and %d dimensions are odd", head, dim)
			}
			return nil
		}
	default:
		return nil, p.unknown(s)
	}
	if nlist < 1 {
		return nil, fmt.Errorf("%s has no cells: write IVF256, say", head)
	}
	if nlist > factoryNumber {
		return nil, fmt.Errorf("%s: the cells must be at most %d", head, factoryNumber)
	}
	if rest == "" {
		return nil, fmt.Errorf("what %s keeps of a vector is missing: write \"%s,Flat\", \"%s,SQ8\" or \"%s,PQ64x4fs,RFlat\"", head, head, head, head)
	}
	c, err := parseCode(rest, true)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, p.unknown(s)
	}
	return &factory{
		settings: slices.Concat([]string{"nprobe"}, settings, c.settings),
		nlist:    nlist, trains: true, lists: true, exact: c.exact, vectors: c.vectors,
		bytes: func(n, dim int) float64 {
			return float64(n)*(c.size(dim)+8) + coarse(dim) + c.fixed(dim) + c.lists(nlist)
		},
		table: func(int) float64 { return c.table(nlist) },
		fits: func(n, dim int) error {
			if least > n {
				return fmt.Errorf("%s needs at least %d vectors to train on, there are %d: use IVF%d or less", head, least, n, n)
			}
			if err := fits(n, dim); err != nil {
				return err
			}
			return c.check(n, dim)
		},
		work: func(n, train, dim int) (build, probe float64) {
			rows := min(float64(train), 256*float64(nlist))
			d := float64(dim)
			return (10*rows+float64(n))*float64(nlist)*d + c.learn(n, train, dim), float64(nlist)*d + float64(n)/float64(nlist)*c.lookups(dim)
		},
	}, nil
}

// cutOutside cuts s at its first comma outside of parentheses.
func cutOutside(s string) (head, rest string) {
	depth := 0
	for i, r := range s {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}

// cells is a number with k or M behind it.
func cells(digits, unit string) int {
	return atoi(digits) * map[string]int{"": 1, "k": 1 << 10, "M": 1 << 20}[unit]
}

// atoi reads digits that [parseFactory] has looked at.
func atoi(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}
