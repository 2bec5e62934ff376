package fetch

import (
	"fmt"
	"slices"
	"strings"
)

// Set is a public data set: what it is, and where its files lie.
type Set struct {
	Name  string
	About string // one line
	Terms string // licence, as its publisher states it; empty where none is stated
	Files []File
}

// File is one file of a set.
type File struct {
	Name string // in the set's folder
	URL  string
	Size int64 // bytes; 0 where nobody has said
	// SHA256 is the hash of the file, in hexadecimal digits; empty where none was published, and then
	// what comes cannot be told from the right one. Source says who published it.
	SHA256, Source string
	// Magic is how such a file begins: a page with an error is told from it.
	Magic string
	// Tree is what an archive (.tar.gz) is unpacked to; nil for a file that is kept as it is.
	Tree *Tree
}

// Tree is the folders of an archive that are kept, below its own first folder.
type Tree struct {
	Folders []string
	Files   int
	// SHA256 is that of the list of their files: for each, sorted by path, the path with slashes, a
	// zero byte, and the 32 bytes of its SHA-256. Archives that a server packs on demand differ from
	// day to day, their content does not.
	SHA256, Source string
}

// sets are all that are known. No hash here is of a file that somebody fetched and believed: each was
// published with the data, by others who verify it, or is of content that a commit names.
var sets = []Set{
	{
		Name: "clothing-dataset-small", Terms: "CC0-1.0",
		About: "3,781 photographs of clothing in 10 categories, in train, validation and test",
		Files: []File{{
			Name: "clothing-dataset-small.tar.gz", Magic: "\x1f\x8b",
			URL: "https://codeload.github.com/alexeygrigorev/clothing-dataset-small/tar.gz/" + clothingCommit,
			Tree: &Tree{
				Folders: []string{"train", "validation", "test"}, Files: 3781,
				SHA256: "bd2250994afc15a3c05c83af4d318786a788857cc348c10812778a6540c315ee",
				Source: "files whose git trees are those of commit " + clothingCommit[:12],
			},
		}},
	},
	{
		Name: "complete-the-look", Terms: "for research",
		About: "25,140 boxes on 5,028 boards in 13 categories; the photographs are Pinterest's",
		Files: []File{{
			Name: "raw_test.tsv", Size: 2_125_872, Magic: "image_signature",
			URL:    "https://raw.githubusercontent.com/eileenforwhat/complete-the-look-dataset/" + lookCommit + "/datasets/raw_test.tsv",
			SHA256: "07aae0a288e531f33c3b60394f599245a5181ed776639d4395fccf7452826c78",
			Source: "the git blob 11ebabf5 of commit " + lookCommit[:12],
		}},
	},
	{
		Name: "fashion-mnist", Terms: "MIT",
		About: "70,000 grey pictures of clothing, 28 by 28 pixels, in 10 categories (IDX files)",
		Files: []File{
			fashion("train-images-idx3-ubyte.gz", 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
			fashion("train-labels-idx1-ubyte.gz", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
			fashion("t10k-images-idx3-ubyte.gz", 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
			fashion("t10k-labels-idx1-ubyte.gz", 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
		},
	},
	ann("sift-128-euclidean", "1,000,000 SIFT features of 128 dimensions, Euclidean", 525_128_288, "dd6f0a6ed6b7ebb8934680f861a33ed01ff33991eaee4fd60914d854a0ca5984"),
	ann("glove-100-angular", "1,183,514 word vectors of 100 dimensions, cosine", 485_413_888, "544af1d5e84e112cd4749571dcfd8ca109818a572f850af75a3a09e093a953c4"),
	ann("deep-image-96-angular", "9,990,000 image features of 96 dimensions, cosine", 3_848_008_288, "a0a44dfe80c58e63860862eeea2d34e62cff958dc3aec14fd65263d1d3c751f8"),
	ann("fashion-mnist-784-euclidean", "60,000 pictures of clothing as 784 grey levels, Euclidean", 0, ""),
	ann("gist-960-euclidean", "1,000,000 GIST features of 960 dimensions, Euclidean", 0, ""),
	ann("nytimes-256-angular", "290,000 bags of words in 256 dimensions, cosine", 0, ""),
	ann("glove-25-angular", "1,183,514 word vectors of 25 dimensions, cosine", 0, ""),
	ann("glove-50-angular", "1,183,514 word vectors of 50 dimensions, cosine", 0, ""),
	ann("glove-200-angular", "1,183,514 word vectors of 200 dimensions, cosine", 0, ""),
	ann("mnist-784-euclidean", "60,000 handwritten digits as 784 grey levels, Euclidean", 0, ""),
	ann("lastfm-64-dot", "292,385 listeners and songs in 65 dimensions, cosine", 0, ""),
	vibe("agnews-mxbai-1024-euclidean", "769,382 texts in 1024 dimensions, Euclidean"),
	vibe("arxiv-nomic-768-normalized", "1,344,643 texts in 768 dimensions, cosine"),
	vibe("celeba-resnet-2048-cosine", "201,599 photographs of faces in 2048 dimensions, cosine"),
	vibe("coco-nomic-768-normalized", "282,360 photographs, searched by texts, in 768 dimensions, cosine"),
	vibe("glove-200-cosine", "1,192,514 word vectors of 200 dimensions, cosine"),
	vibe("gooaq-distilroberta-768-normalized", "1,475,024 texts in 768 dimensions, cosine"),
	vibe("imagenet-clip-512-normalized", "1,281,167 photographs in 512 dimensions, cosine"),
	vibe("imagenet-align-640-normalized", "1,281,167 photographs, searched by texts, in 640 dimensions, cosine"),
	vibe("inaturalist-resnet-2048-cosine", "499,000 photographs of living things in 2048 dimensions, cosine"),
	vibe("landmark-dino-768-cosine", "760,757 photographs of landmarks in 768 dimensions, cosine"),
	vibe("landmark-nomic-768-normalized", "760,757 photographs of landmarks in 768 dimensions, cosine"),
	vibe("laion-clip-512-normalized", "1,000,448 photographs, searched by texts, in 512 dimensions, cosine"),
	vibe("llama-128-ip", "256,921 keys of attention in 128 dimensions, inner product"),
	vibe("simplewiki-openai-3072-normalized", "260,372 texts in 3072 dimensions, cosine"),
	vibe("yahoo-minilm-384-normalized", "677,305 texts in 384 dimensions, cosine"),
	vibe("yandex-200-cosine", "1,000,000 photographs, searched by texts, in 200 dimensions, cosine"),
	vibe("yi-128-ip", "187,843 keys of attention in 128 dimensions, inner product"),
}

const (
	clothingCommit = "11961516512414bf9f6c150a832cfd21b54a6b54"
	lookCommit     = "d1ae7474cb0760e9a6ef66450eb325eed0fadf3a"
)

func fashion(name string, size int64, sum string) File {
	return File{
		Name: name, Size: size, SHA256: sum, Magic: "\x1f\x8b",
		URL:    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/" + name,
		Source: "TensorFlow Datasets, url_checksums/fashion_mnist.txt",
	}
}

// ann is a set of ann-benchmarks: vectors, queries and exact neighbours in one HDF5 file.
func ann(name, about string, size int64, sum string) Set {
	f := File{Name: name + ".hdf5", Size: size, SHA256: sum, Magic: "\x89HDF\r\n\x1a\n", URL: "http://ann-benchmarks.com/" + name + ".hdf5"}
	if sum != "" {
		f.Source = "TensorFlow Datasets, nearest_neighbors"
	}
	return Set{Name: name, About: about + " (ann-benchmarks)", Files: []File{f}}
}

// vibe is a set of VIBE (Jääsaari et al., "VIBE: Vector Index Benchmark for Embeddings", 2025), in the
// form of ann-benchmarks. Nobody has published hashes.
func vibe(name, about string) Set {
	return Set{Name: name, About: about + " (VIBE)", Files: []File{{
		Name: name + ".hdf5", Magic: "\x89HDF\r\n\x1a\n",
		URL: "https://huggingface.co/datasets/vector-index-bench/vibe/resolve/main/" + name + ".hdf5",
	}}}
}

// Sets returns all sets, in the order in which they are listed.
func Sets() []Set { return slices.Clone(sets) }

// Lookup finds a set by its name.
func Lookup(name string) (Set, error) {
	var names []string
	for _, s := range sets {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Set{}, fmt.Errorf("no data set %q: known are %s", name, strings.Join(names, ", "))
}

// Size is the bytes that have to be fetched; ok is false where that is not known of all files.
func (s Set) Size() (bytes int64, ok bool) {
	ok = true
	for _, f := range s.Files {
		bytes += f.Size
		ok = ok && f.Size > 0
	}
	return bytes, ok
}

// Verifiable reports whether every file can be told from a wrong one.
func (s Set) Verifiable() bool {
	for _, f := range s.Files {
		if f.SHA256 == "" && f.Tree == nil {
			return false
		}
	}
	return true
}
