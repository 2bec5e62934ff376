// Package metric defines every number that annbench reports: one function and one formula each, and
// one table of their names, units and meaning.
//
// It does not time anything and does not read or print: package bench measures and scores with it,
// package reports prints by its table.
package metric

// Unit is what a value is counted in. Values are kept in base units; scaling happens when printing.
type Unit string

// The units.
const (
	Seconds   Unit = "s"
	Bytes     Unit = "B"
	Ratio     Unit = "ratio" // 1 is the whole
	PerSecond Unit = "1/s"
	Count     Unit = "count"
)

// Names of the values of a record. What depends on k is at the k of the record's cell.
const (
	Recall       = "recall"           // see [RecallAt]
	RecallID     = "recall_id"        // see [RecallIDAt]
	RecallP1     = "recall_p1"        // over queries, by nearest rank
	RecallP5     = "recall_p5"        //
	RecallP50    = "recall_p50"       //
	RecallZero   = "recall_zero"      // share of queries with no recall at all
	Robust50     = "robust_50"        // share of queries with a recall of at least 0.5: see [Robustness]
	Robust80     = "robust_80"        //
	Robust90     = "robust_90"        //
	Robust100    = "robust_100"       //
	DistRatio    = "ratio"            // see [DistanceRatio]
	MAP          = "map"              // mean of [AveragePrecision] over queries
	MAPList      = "map_list"         // the same with the relevant answers in the list as denominator
	MAPR         = "map_r"            // the same with all relevant items of the base as denominator
	MAPExact     = "map_exact"        // MAP of the exact neighbours: the ceiling
	MAPDelta     = "map_delta"        // MAP less MAPExact, and the ends of its 95 % interval, paired over queries
	MAPDeltaLo   = "map_delta_lo"     //
	MAPDeltaHi   = "map_delta_hi"     //
	ItemHit      = "item_hit"         // share of queries with an answer that is the same item: see [ItemsFound]
	ItemRecall   = "item_recall"      //
	ItemMRR      = "item_mrr"         //
	NDCG         = "ndcg"             // mean of [DCG] over that of the ideal order of the base
	WrongIndex   = "wrong_index"      // share of queries answered wrongly where exact search answers rightly
	WrongEmbed   = "wrong_embed"      // share of queries answered wrongly by both
	Mean         = "latency_mean"     // one query in flight, one thread; under mode open, from when the query was due
	P50          = "latency_p50"      //
	P90          = "latency_p90"      //
	P99          = "latency_p99"      //
	P999         = "latency_p999"     //
	QPS          = "qps"              // queries answered in a second: see the cell's mode
	CPU          = "cpu"              // processor time a query, all threads: median over the rounds
	OnCPU        = "on_cpu"           // processor time over wall time of what was timed
	Passes       = "passes"           // samples over queries
	Samples      = "samples"          // searches that were timed
	Overhead     = "overhead"         // what the harness itself adds to a latency: measured on an index that does nothing
	CallFloor    = "call_floor"       // a search of an index of a few vectors by a program of its own: median
	CallFloorCPU = "call_floor_cpu"   // processor time of such a search, mean
	Wire         = "wire"             // one round trip to the family's engine that searches nothing: median
	WireP99      = "wire_p99"         //
	Build        = "build"            // wall time of the build
	BuildCPU     = "build_cpu"        // CPU time of the build, all threads
	Train        = "build_train"      // parts of Build, where the family has them
	Add          = "build_add"        //
	Finish       = "build_finish"     //
	Load         = "load"             // wall time to load the saved index
	Resident     = "resident"         // memory of a fresh process that loaded the index and answered the queries
	Vectors      = "vectors"          // of Resident, the vectors as they were given; 0 where only codes are kept
	Serialized   = "serialized"       // size of the saved index
	Analytic     = "analytic"         // by the family's formula
	PerVector    = "bytes_per_vector" // see [BytesPerVector]; not in records: made from them
	PeakBuild    = "peak_build"       // highest resident memory of the build, less what stood before it
	AnswerCount  = "answers"          // mean number of answers a query got
	Living       = "living"           // vectors that live at a search of a runbook
	Stale        = "stale"            // share of them that the index does not have
	Updated      = "updated"          // vectors that were added and removed since the search before
	UpdateWall   = "update"           // wall time of that, or of building anew
	UpdateCPU    = "update_cpu"       // processor time of that
	DuringP50    = "during_p50"       // latency of queries that arrive while an index changes
	DuringP99    = "during_p99"       //
	DuringP999   = "during_p999"      //
	Selectivity  = "selectivity"      // share of the base that passes a filter, mean over the queries
	Unfilled     = "unfilled"         // share of queries with fewer than k vectors that pass
)

// What stands after the name of a quantity that is compared with exact search over the same queries: item_hit,
// item_hit_exact, item_hit_delta, item_hit_delta_lo and item_hit_delta_hi.
const (
	ExactSuffix = "_exact" // of the exact neighbours
	DeltaSuffix = "_delta" // the quantity less that of the exact neighbours
	LoSuffix    = "_lo"    // lower end of a 95 % interval
	HiSuffix    = "_hi"    // upper end
)

// ItemPrefix stands before the names of what is judged by item and by category.
const ItemPrefix = "item_"

// Info says how a value is read.
type Info struct {
	Name  string
	Unit  Unit
	Lower bool   // smaller is better
	Title string // for column heads
	Doc   string // one sentence
}

// Table lists every value in the order in which it is printed.
var Table = []Info{
	{Recall, Ratio, false, "recall", "share of the k answers that are no farther than the k-th exact neighbour; ties count"},
	{RecallID, Ratio, false, "recall by id", "share of the k exact neighbours, as ids, among the answers"},
	{RecallP1, Ratio, false, "recall p1", "recall that 99 % of the queries reach"},
	{RecallP5, Ratio, false, "recall p5", "recall that 95 % of the queries reach"},
	{RecallP50, Ratio, false, "recall p50", "median recall over queries"},
	{RecallZero, Ratio, true, "zero recall", "share of queries with no recall at all"},
	{Robust50, Ratio, false, "recall ≥ .5", "share of queries with a recall of at least 0.5"},
	{Robust80, Ratio, false, "recall ≥ .8", "share of queries with a recall of at least 0.8"},
	{Robust90, Ratio, false, "recall ≥ .9", "share of queries with a recall of at least 0.9"},
	{Robust100, Ratio, false, "recall = 1", "share of queries with a recall of 1"},
	{DistRatio, Ratio, true, "distance ratio", "mean of the answer's distance over the exact neighbour's at the same rank"},
	{MAP, Ratio, false, "mAP", "mean average precision by category, over min(k, relevant items in the base)"},
	{MAPList, Ratio, false, "mAP (list)", "mean average precision over the relevant items in the list"},
	{MAPR, Ratio, false, "mAP (R)", "mean average precision over all relevant items in the base"},
	{MAPExact, Ratio, false, "mAP exact", "mAP of the exact neighbours: what an index can at most be expected to keep"},
	{MAPDelta, Ratio, false, "ΔmAP", "mAP less that of exact search, over the same queries"},
	{MAPDeltaLo, Ratio, false, "ΔmAP from", "lower end of the 95 % interval of ΔmAP, by a bootstrap paired over queries"},
	{MAPDeltaHi, Ratio, false, "ΔmAP to", "upper end of that interval"},
	{ItemHit, Ratio, false, "hit", "share of queries with an answer that is the same item"},
	{ItemHit + ExactSuffix, Ratio, false, "hit exact", "the same of the exact neighbours"},
	{ItemHit + DeltaSuffix, Ratio, false, "Δhit", "hit less that of exact search, over the same queries"},
	{ItemHit + DeltaSuffix + LoSuffix, Ratio, false, "Δhit from", "lower end of its 95 % interval, by a bootstrap paired over queries"},
	{ItemHit + DeltaSuffix + HiSuffix, Ratio, false, "Δhit to", "upper end of that interval"},
	{ItemRecall, Ratio, false, "item recall", "mean share of the same items that are among the answers, over min(k, such items in the base)"},
	{ItemRecall + ExactSuffix, Ratio, false, "item recall exact", "the same of the exact neighbours"},
	{ItemRecall + DeltaSuffix, Ratio, false, "Δ item recall", "item recall less that of exact search"},
	{ItemRecall + DeltaSuffix + LoSuffix, Ratio, false, "Δ item recall from", "lower end of its 95 % interval"},
	{ItemRecall + DeltaSuffix + HiSuffix, Ratio, false, "Δ item recall to", "upper end of that interval"},
	{ItemMRR, Ratio, false, "MRR", "mean of one over the place of the first answer that is the same item; 0 where none is"},
	{ItemMRR + ExactSuffix, Ratio, false, "MRR exact", "the same of the exact neighbours"},
	{ItemMRR + DeltaSuffix, Ratio, false, "ΔMRR", "MRR less that of exact search"},
	{ItemMRR + DeltaSuffix + LoSuffix, Ratio, false, "ΔMRR from", "lower end of its 95 % interval"},
	{ItemMRR + DeltaSuffix + HiSuffix, Ratio, false, "ΔMRR to", "upper end of that interval"},
	{NDCG, Ratio, false, "nDCG", "mean discounted gain of the answers by shared attributes, over that of the best order of the whole base"},
	{NDCG + ExactSuffix, Ratio, false, "nDCG exact", "the same of the exact neighbours"},
	{NDCG + DeltaSuffix, Ratio, false, "ΔnDCG", "nDCG less that of exact search, over the same queries"},
	{NDCG + DeltaSuffix + LoSuffix, Ratio, false, "ΔnDCG from", "lower end of its 95 % interval, by a bootstrap paired over queries"},
	{NDCG + DeltaSuffix + HiSuffix, Ratio, false, "ΔnDCG to", "upper end of that interval"},
	{WrongIndex, Ratio, true, "index's fault", "share of queries with an average precision below a half, where that of exact search is not"},
	{WrongEmbed, Ratio, true, "embedding's fault", "share of queries with an average precision below a half, that of exact search too"},
	{ItemPrefix + WrongIndex, Ratio, true, "item: index's fault", "share of queries without the same item among the answers, though exact search finds it"},
	{ItemPrefix + WrongEmbed, Ratio, true, "item: embedding's fault", "share of queries without the same item among the answers, nor among those of exact search"},
	{Mean, Seconds, true, "mean", "mean search time, one query in flight on one thread"},
	{P50, Seconds, true, "p50", "median search time"},
	{P90, Seconds, true, "p90", "search time that 90 % of the queries stay within"},
	{P99, Seconds, true, "p99", "search time that 99 % of the queries stay within"},
	{P999, Seconds, true, "p99.9", "search time that 99.9 % of the queries stay within"},
	{QPS, PerSecond, false, "QPS", "queries a second: one after another on one thread, or as the cell's mode says"},
	{CPU, Seconds, true, "CPU", "processor time a query, of all threads of the process that searches: median over the rounds; families that are servers have none"},
	{OnCPU, Ratio, false, "on CPU", "share on the processor: processor time over wall time of what was timed; where it is low, the other times say more about what else ran than about the index"},
	{Passes, Count, false, "passes", "how often each query was timed, on average"},
	{Samples, Count, false, "samples", "searches that were timed"},
	{Overhead, Seconds, true, "overhead", "what the harness itself adds to each latency, measured on an index that does nothing"},
	{CallFloor, Seconds, true, "call floor", "median time of a search of an index of a few vectors: what the mere call costs, of families that are programs of their own"},
	{CallFloorCPU, Seconds, true, "call floor CPU", "mean processor time of such a search"},
	{Wire, Seconds, true, "wire", "median time of a search of nothing: the way to the family's engine and back"},
	{WireP99, Seconds, true, "wire p99", "time that 99 % of such searches of nothing stay within"},
	{Build, Seconds, true, "wall build", "wall time of the build"},
	{BuildCPU, Seconds, true, "CPU build", "CPU time of the build, all threads, those of the engine's processes included"},
	{Train, Seconds, true, "train", "part of the build that learns from the vectors"},
	{Add, Seconds, true, "add", "part of the build that adds the vectors"},
	{Finish, Seconds, true, "finish", "part of the build after the last vector"},
	{Load, Seconds, true, "load", "wall time to load the saved index"},
	{Resident, Bytes, true, "resident", "memory of a fresh process that loaded the saved index and answered every query once; of a family with an engine, what the engine's processes hold more than before the build"},
	{Vectors, Bytes, true, "vectors", "of the resident memory, the vectors as they were given"},
	{Serialized, Bytes, true, "serialized", "size of the saved index; of a family with an engine, what it takes on the engine's disks"},
	{Analytic, Bytes, true, "analytic", "size by the family's formula"},
	{PerVector, Bytes, true, "bytes a vector", "the size by the family's formula over the number of vectors; of families without a formula that of the saved index"},
	{PeakBuild, Bytes, true, "peak", "highest resident memory while building, less what stood before"},
	{AnswerCount, Count, false, "answers", "mean number of answers to a query"},
	{Living, Count, false, "living", "vectors that live at a search of a runbook"},
	{Stale, Ratio, true, "stale", "share of the living vectors that the index does not have yet"},
	{Updated, Count, false, "updated", "vectors that were added and removed since the search before"},
	{UpdateWall, Seconds, true, "update", "wall time of adding and removing since the search before, or of building anew"},
	{UpdateCPU, Seconds, true, "update CPU", "processor time of that"},
	{DuringP50, Seconds, true, "during p50", "median latency of queries that arrive while the index changes, from when they were due"},
	{DuringP99, Seconds, true, "during p99", "time that 99 % of those stay within"},
	{DuringP999, Seconds, true, "during p99.9", "time that 99.9 % of those stay within"},
	{Selectivity, Ratio, false, "selectivity", "share of the base that passes the filter, mean over the queries"},
	{Unfilled, Ratio, true, "unfilled", "share of queries with fewer than k vectors that pass: their recall is over those that do"},
}

// Lookup returns the table's row for name; ok is false where there is none.
func Lookup(name string) (info Info, ok bool) {
	for _, info := range Table {
		if info.Name == name {
			return info, true
		}
	}
	return Info{}, false
}
