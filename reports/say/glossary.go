package say

import (
	"slices"
	"strings"

	"annbench/reports/judge"
)

// Entry is a word of a report, and what it means.
type Entry struct{ Word, Says string }

// Glossary explains the words of a report on r: those that every report has, and then the families and the
// settings that this one has. What each number is stands in package metric's table, not here.
func Glossary(r *judge.Report) []Entry {
	out := slices.Clone(glossary)
	seen := map[string]bool{}
	var families, settings []string
	note := func(list *[]string, kind, name string) {
		if !seen[kind+name] {
			seen[kind+name] = true
			*list = append(*list, name)
		}
	}
	for _, row := range r.Rows {
		note(&families, "f ", row.Cell.Family)
		for _, s := range strings.Fields(row.Cell.Settings()) {
			if name, _, ok := strings.Cut(s, "="); ok {
				note(&settings, "s ", name)
			}
		}
	}
	slices.Sort(families)
	slices.Sort(settings)
	for _, list := range []struct {
		names []string
		words map[string]string
	}{{families, familyWords}, {settings, settingWords}} {
		for _, name := range list.names {
			if says, ok := list.words[name]; ok {
				out = append(out, Entry{name, says})
			}
		}
	}
	return out
}

// glossary are the words that any report may have, in the order of the alphabet.
var glossary = []Entry{
	{"anchor", "an index, exact search, that takes part in every group of indexes where not all fit into memory at once, so that the groups compare"},
	{"base", "the vectors that are searched"},
	{"bounds", "numbers that a distance cannot be below: what cannot be among the answers by them need not be compared"},
	{"build", "making an index from the vectors; its settings are fixed then, those of a search can change with every search"},
	{"category", "the label of an item, by which an answer counts as right"},
	{"cell", "one index with all its settings, under all that must be equal for a comparison: one line of the results"},
	{"codes", "short forms of vectors, which take less memory and are compared faster, and less exactly"},
	{"contrast", "relative contrast: how many times farther than the nearest vectors the rest is"},
	{"CPU", "the processor; CPU time is the time that it worked, without the time that a program waited for it"},
	{"dimension", "one of the numbers of a vector; how many there are"},
	{"embedding", "the vector that a model makes of an image: what looks alike lies near"},
	{"exact search", "compares the query with every vector that could be an answer, so that it misses nothing"},
	{"family", "a kind of index, by one library"},
	{"forest", "trees that split the vectors again and again by planes between two of them, until few are left together; a search looks at what is left where the query falls"},
	{"graph", "links each vector with near ones; a search walks from link to link towards the query (HNSW: a hierarchical navigable small world)"},
	{"hub", "a vector that is among the nearest neighbours of very many others; an orphan is among nobody's"},
	{"HNSW", "see graph"},
	{"interval", "a 95 % interval: made in this way, it holds the true value in 95 of 100 such measurements"},
	{"inverted lists", "IVF: the vectors are split into cells, each with a list; a search scans the lists next to the query"},
	{"IVF", "see inverted lists"},
	{"k", "how many answers a query asks for"},
	{"LID", "local intrinsic dimensionality: in how many directions neighbours lie around a query; the higher, the harder to search"},
	{"logit", "a scale for shares, the logarithm of x/(1 − x): 0.99 is as far from 0.9 as 0.9 is from 0.5, about, since the last percents cost most"},
	{"mAP", "mean average precision: how right and how far up the answers are; 1 where all stand before everything wrong"},
	{"median", "half of the values lie below it, half above"},
	{"p50, p90, p99, p99.9", "percentiles: the time that so many percent of the queries stay within"},
	{"paired", "compared measurement by measurement, as the two took turns, so that what disturbed one disturbed the other"},
	{"PCA, t-SNE", "ways to draw vectors of many dimensions in a plane: by the directions in which they differ most, and so that near ones stay near"},
	{"QPS", "queries a second"},
	{"quantisation", "rounding vectors to codes: PQ cuts a vector into parts and rounds each to the nearest of a few, SQ rounds each number, RaBitQ keeps a bit of each"},
	{"queries a second by processor time", "one over the processor time that a query takes; what else runs on the machine hardly changes it"},
	{"query", "a vector whose nearest neighbours are asked for"},
	{"recall", "the share of the true nearest neighbours that an index finds"},
	{"repetition", "the whole measurement again, with indexes that are built anew"},
	{"resident", "memory that is really taken up"},
	{"ring", "a mark that is not filled: another setting of the family beats it in both"},
	{"round", "a few seconds in which every setting answers some queries in turn, so that what else the machine does falls on all alike"},
	{"setting", "a number that a family takes, such as how much of the index a search looks at"},
	{"skewness", "how far values lie to one side: above 0 where few are very large"},
	{"speed-up", "also paired ×: how many times as fast as the fastest exact search"},
	{"tied", "these measurements cannot tell which is better: the interval of the difference holds none"},
	{"trade-off", "what is gained in one quantity against what is lost in another"},
	{"wall clock", "the time that passes, whatever a program waits for"},
	{"wall QPS", "queries a second by the wall clock"},
}

// familyWords are the families.
var familyWords = map[string]string{
	"flat":             "exact search: every vector is compared",
	"exact":            "exact search that rules most vectors out by bounds, and misses nothing",
	"flat-faiss":       "exact search by Faiss",
	"ivfflat-faiss":    "inverted lists of whole vectors, by Faiss",
	"ivfpq-faiss":      "inverted lists of codes (PQ), by Faiss: very small, and less accurate",
	"ivfpqfs-faiss":    "inverted lists of codes of 4 bits that are compared many at once (fast scan), by Faiss",
	"ivfsq-faiss":      "inverted lists of vectors whose numbers are rounded (SQ), by Faiss",
	"ivfrabitq-faiss":  "inverted lists of codes of one bit a dimension (RaBitQ), by Faiss",
	"hnsw-faiss":       "a graph (HNSW), by Faiss",
	"hnswsq-faiss":     "a graph (HNSW) over vectors whose numbers are rounded, by Faiss",
	"faiss":            "any index of Faiss, by its description",
	"hnsw":             "a graph (HNSW) in pure Go, by annbench",
	"hnsw-coder":       "a graph (HNSW) by the library coder/hnsw",
	"forest":           "a forest of trees, by annbench; without bounds it is Annoy's algorithm",
	"weaviate":         "a graph or exact search in a Weaviate server",
	"flat-pgvector":    "exact search in PostgreSQL",
	"ivfflat-pgvector": "inverted lists in PostgreSQL",
	"hnsw-pgvector":    "a graph (HNSW) in PostgreSQL",
	"annoy":            "a forest of trees, by Spotify's library",
	"diskann":          "a graph (Vamana), by Microsoft's library",
	"faiss-python":     "Faiss as its package for Python has it",
	"hnswlib":          "a graph (HNSW), by its authors' library, called from C++",
	"hnswlib-python":   "the same, called from Python",
	"ngt":              "a graph (ANNG), by Yahoo Japan's library",
	"nmslib-hnsw":      "a graph (HNSW), by the library nmslib",
	"rabitq":           "inverted lists of codes of few bits (RaBitQ), by its authors' library",
	"scann":            "inverted lists of codes, by Google's library",
	"svs":              "a graph (Vamana), by Intel's library",
	"symphonyqg":       "a graph whose links carry codes (SymphonyQG), by its authors' library",
	"usearch":          "a graph (HNSW), by Unum's library",
	"voyager":          "a graph (HNSW), by Spotify's library",
	"vsag":             "a graph (HGraph), by Ant Group's library",
	"pgvector":         "vectors in PostgreSQL",
}

const (
	linksOf      = "of a graph: links of a vector; more find more, and cost memory and build time"
	candidates   = "of a graph: candidates that a search keeps; more find more, and take longer"
	construction = "of a graph: candidates kept while a vector's links are chosen; more give better links, and take longer to build"
	cellsOf      = "of inverted lists: cells that the vectors are split into"
	scanned      = "of inverted lists: cells that a query scans; more find more, and take longer"
	again        = "how many of the best answers, as a multiple of k, are compared again exactly"
	rounding     = "what the numbers of a vector are rounded to"
	reach        = "of a graph: how far links reach"
)

// settingWords are the settings of all families.
var settingWords = map[string]string{
	"M": linksOf, "degree": linksOf, "connectivity": linksOf, "max_degree": linksOf, "edges": linksOf,
	"efConstruction": construction, "ef_construction": construction, "complexity": construction, "window": construction, "expansion_add": construction,
	"ef": candidates, "efSearch": candidates, "ef_search": candidates, "complexity_search": candidates, "search_window": candidates, "expansion_search": candidates,
	"nlist": cellsOf, "lists": cellsOf, "leaves": cellsOf,
	"nprobe": scanned, "probes": scanned, "leaves_to_search": scanned,
	"k_factor": again, "k_factor_rf": again, "reorder": "how many candidates are compared again exactly",
	"alpha": reach, "epsilon": "of a graph: how far beyond the worst answer the search goes",
	"type": "what is kept of a vector, or the kind of index", "dtype": rounding, "storage": "where or in what form vectors are kept", "quantization": "codes that a walk compares with", "precise": "what candidates are compared again with", "quantiser": "codes in memory in place of the vectors",
	"m": "of codes: parts that a vector is cut into; of a graph in PostgreSQL: links of a vector", "nbits": "of codes: bits of each", "bits": "of codes: bits a dimension", "segments": "of codes: parts that a vector is cut into", "dims_per_block": "of codes: dimensions of each",
	"train": "vectors that the lists or codes are learned from; 0 is all", "opq": "whether a rotation is learned first, under which codes lose less", "pca": "dimensions that vectors are reduced to first, by principal components; 0 keeps all", "rotate": "whether vectors are turned by a random rotation first", "residual": "whether codes are of the difference to the list's middle",
	"refine": "what the best answers are compared again with", "rescore": "candidates whose distances are computed again from the vectors", "qb": "bits that the numbers of a query are rounded to", "threshold": "how much codes prefer to be right along a vector rather than across it",
	"factory": "Faiss's own description of an index", "quantizer_efSearch": "candidates kept in the search for cells, which is a graph", "quantizer_nprobe": "cells scanned in the search for cells", "ht": "bits that codes may differ in to be looked at", "max_codes": "codes that a query looks at, at most",
	"codes": "whether the graph is walked by codes of a byte a number", "Ml": "share of a layer's vectors that are also on the next", "fetch": "neighbours that the library is asked for, of which the k nearest are taken",
	"trees": "of a forest: how many; more find more, and cost memory and build time", "leaf": "of a forest: the most vectors that are left together", "bounds": "of a forest: whether codes are kept whose bounds spare most distances", "search_k": "of a forest: vectors that a search looks at; more find more, and take longer",
	"index": "a graph, or a scan of all vectors", "shards": "parts that the vectors are spread over", "replicas": "nodes that hold each shard", "nodes": "machines of the server", "workers": "processes that help with one search",
	"maintenance_work_mem": "memory for making the index, in MB", "vacuum": "when PostgreSQL clears away what removed vectors leave", "iterative_scan": "whether a search continues until it has k", "post": "passes over the finished graph that improve it", "edge_size": "of a graph: links of a vector that are followed", "seed": "what chance is drawn from",
}
