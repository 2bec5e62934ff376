package vecfile

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// IsIDName reports whether a column of that name has the ids of a table's rows.
func IsIDName(name string) bool { return isOneOf(name, idNames) || isOneOf(name, tableIDs) }

// TextColumn is a column of a table, its values written as text.
type TextColumn struct {
	Name string
	// Kind is "text", "number" or "boolean" if the file says which; empty if only the values tell.
	Kind  string
	Texts []string // one a row; empty where the value is missing
}

// ReadParquetColumns reads the columns of a Parquet file that have one plain value a row: texts, numbers, booleans,
// and dates and times, as texts of the form 2006-01-02 and 2006-01-02T15:04:05.000Z, whose order is that of time. Lists, decimals
// and what else there is are left out, and notes say so.
func ReadParquetColumns(path string) (columns []TextColumn, notes []string, err error) {
	in, err := openInput(path)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	defer damagedParquet(&err)
	file, err := openTable(in)
	if err != nil {
		return nil, nil, err
	}
	sound := &parquetPages{in: in}
	var left []string
	for _, path := range file.Schema().Columns() {
		leaf, ok := file.Schema().Lookup(path...)
		if !ok || leaf.MaxRepetitionLevel > 0 || len(path) > 1 {
			if !slices.Contains(left, path[0]) {
				left = append(left, path[0])
			}
			continue
		}
		kind, text := parquetWords(leaf)
		if text == nil {
			left = append(left, path[0])
			continue
		}
		if err := checkCodec(file, leaf.ColumnIndex); err != nil {
			return nil, nil, err
		}
		c := TextColumn{Name: path[0], Kind: kind}
		if c.Texts, err = parquetTexts(file, sound, leaf, text); err != nil {
			return nil, nil, fmt.Errorf("column %q: %w", path[0], err)
		}
		if len(c.Texts) != int(file.NumRows()) {
			return nil, nil, fmt.Errorf("column %q has %d values, the table has %d rows", path[0], len(c.Texts), file.NumRows())
		}
		columns = append(columns, c)
	}
	if len(left) > 0 {
		notes = append(notes, quoteAll(left)+" left out: not one text, number, date or truth value a row")
	}
	return columns, notes, nil
}

// parquetWords says what kind of values a column has, and how one is written; text is nil if it is none of the kinds.
func parquetWords(leaf parquet.LeafColumn) (kind string, text func(parquet.Value) string) {
	t := leaf.Node.Type()
	number := func(v parquet.Value) string { return parquetText(v, false) }
	float := func(x float64, bits int) string {
		if math.IsNaN(x) { // pandas' word for a missing value
			return ""
		}
		return strconv.FormatFloat(x, 'g', -1, bits)
	}
	if l := t.LogicalType(); l != nil {
		switch word := l.String(); {
		case word == "STRING" || word == "ENUM" || word == "JSON":
			return "text", number
		case word == "DATE":
			return "text", func(v parquet.Value) string {
				return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly)
			}
		case strings.HasPrefix(word, "TIMESTAMP("):
			stamp, ok := l.Value.(*format.TimestampType)
			if !ok || stamp.Unit.Value == nil {
				return "", nil
			}
			unit := stamp.Unit.Value.Duration()
			digits := map[time.Duration]string{time.Millisecond: "000", time.Microsecond: "000000", time.Nanosecond: "000000000"}[unit]
			return "text", func(v parquet.Value) string {
				whole := int64(time.Second / unit)
				seconds := v.Int64() / whole
				return time.Unix(seconds, (v.Int64()-seconds*whole)*int64(unit)).UTC().Format("2006-01-02T15:04:05." + digits + "Z")
			}
		case strings.HasPrefix(word, "INT("):
			unsigned := strings.Contains(word, "false")
			return "number", func(v parquet.Value) string { return parquetText(v, unsigned) }
		case word != "" && word != "UNKNOWN":
			return "", nil
		}
	}
	switch t.Kind() {
	case parquet.Boolean:
		return "boolean", func(v parquet.Value) string { return strconv.FormatBool(v.Boolean()) }
	case parquet.Int32, parquet.Int64:
		return "number", number
	case parquet.Float:
		return "number", func(v parquet.Value) string { return float(float64(v.Float()), 32) }
	case parquet.Double:
		return "number", func(v parquet.Value) string { return float(v.Double(), 64) }
	case parquet.ByteArray:
		return "text", number
	}
	return "", nil
}

// parquetTexts are the values of one column of all row groups.
func parquetTexts(file *parquet.File, sound *parquetPages, leaf parquet.LeafColumn, text func(parquet.Value) string) (texts []string, err error) {
	interned := map[string]string{}
	for group := range file.RowGroups() {
		err := sound.values(file, group, leaf, func(v parquet.Value) error {
			s := ""
			if !v.IsNull() {
				s = intern(interned, text(v))
			}
			texts = append(texts, s)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return texts, nil
}
