package serve

// code says to programs what went wrong.
type code int

// The codes of errors. A code is an int so that a handler cannot make one up, and codes has a place for
// each, so that the document cannot lack one.
const (
	noQuery code = iota
	badBox
	badK
	badIndex
	indexMissing
	badCategory
	badFilter
	badItem
	badBoard
	badVector
	badImage
	noModel
	noPicture
	badSize
	badLimit
	badFrom
	badWords
	badParameter
	badJSON
	badContentType
	tooLarge
	tooSlow
	badMethod
	notFound
	badToken
	tooManyGuesses
	badHost
	crossOrigin
	badEvent
	noList
	noExperiment
	noAdding
	badItems
	badAttribute
	itemExists
	noTaker
	busy
	gone
	internal
	numCodes
)

// codes are the names by which the API gives them. The OpenAPI document lists the same ones, and so does
// docs/reference/serve.md; a test compares, and draws an error of each.
var codes = [numCodes]string{
	noQuery:        "query",
	badBox:         "box",
	badK:           "k",
	badIndex:       "index",
	indexMissing:   "index_missing",
	badCategory:    "category",
	badFilter:      "filter",
	badItem:        "item",
	badBoard:       "board",
	badVector:      "vector",
	badImage:       "image",
	noModel:        "no_model",
	noPicture:      "picture",
	badSize:        "size",
	badLimit:       "limit",
	badFrom:        "from",
	badWords:       "q",
	badParameter:   "parameter",
	badJSON:        "json",
	badContentType: "content_type",
	tooLarge:       "too_large",
	tooSlow:        "slow",
	badMethod:      "method",
	notFound:       "not_found",
	badToken:       "token",
	tooManyGuesses: "guesses",
	badHost:        "host",
	crossOrigin:    "cross_origin",
	badEvent:       "event",
	noList:         "list",
	noExperiment:   "experiment",
	noAdding:       "adding",
	badItems:       "items",
	badAttribute:   "attribute",
	itemExists:     "exists",
	noTaker:        "no_taker",
	busy:           "busy",
	gone:           "gone",
	internal:       "internal",
}

func (c code) String() string { return codes[c] }

// MarshalText gives the name.
func (c code) MarshalText() ([]byte, error) { return []byte(codes[c]), nil }
