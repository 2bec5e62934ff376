package vecfile

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
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
		classes := classNames(file, path[0])
		if classes != nil {
			kind = "text"
		}
		c := TextColumn{Name: path[0], Kind: kind}
		if c.Texts, err = parquetTexts(file, sound, leaf, classes, text); err != nil {
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

// fullType is the type of the values of a column: what older writers say in the words of their time is said in those of today.
func fullType(e format.SchemaElement) format.LogicalTypeValue {
	if e.LogicalType.Value != nil || !e.ConvertedType.Valid {
		return e.LogicalType.Value
	}
	millis, micros := format.TimeUnit{Value: &format.MilliSeconds{}}, format.TimeUnit{Value: &format.MicroSeconds{}}
	switch e.ConvertedType.V {
	case deprecated.Date:
		return &format.DateType{}
	case deprecated.TimestampMillis:
		return &format.TimestampType{IsAdjustedToUTC: true, Unit: millis}
	case deprecated.TimestampMicros:
		return &format.TimestampType{IsAdjustedToUTC: true, Unit: micros}
	case deprecated.TimeMillis:
		return &format.TimeType{IsAdjustedToUTC: true, Unit: millis}
	case deprecated.TimeMicros:
		return &format.TimeType{IsAdjustedToUTC: true, Unit: micros}
	case deprecated.Decimal:
		return &format.DecimalType{Scale: e.Scale.V, Precision: e.Precision.V}
	}
	return nil
}

// parquetWord returns how a label or an id is written that stands in a column of plain values: a date as 2006-01-02, a time
// as 2006-01-02T15:04:05.000Z, a decimal and a UUID as such are.
func parquetWord(e format.SchemaElement) (func(parquet.Value) string, error) {
	written := func(f func(parquet.Value) string) (func(parquet.Value) string, error) {
		return func(v parquet.Value) string {
			if v.IsNull() {
				return ""
			}
			return f(v)
		}, nil
	}
	digits := func(unit format.TimeUnit) (per int64, zeros string) {
		if unit.Value == nil {
			return 0, ""
		}
		per = int64(time.Second / unit.Value.Duration())
		return per, strconv.FormatInt(per, 10)[1:]
	}
	unsigned := e.ConvertedType.Valid && e.ConvertedType.V >= deprecated.Uint8 && e.ConvertedType.V <= deprecated.Uint64
	switch t := fullType(e).(type) {
	case *format.IntType:
		unsigned = !t.IsSigned
	case *format.DateType:
		return written(func(v parquet.Value) string {
			return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly)
		})
	case *format.TimestampType:
		if per, zeros := digits(t.Unit); per > 0 {
			return written(func(v parquet.Value) string {
				seconds := v.Int64() / per
				return time.Unix(seconds, (v.Int64()-seconds*per)*(int64(time.Second)/per)).UTC().Format("2006-01-02T15:04:05." + zeros + "Z")
			})
		}
	case *format.TimeType:
		if per, zeros := digits(t.Unit); per > 0 {
			return written(func(v parquet.Value) string {
				return time.Unix(v.Int64()/per, v.Int64()%per*(int64(time.Second)/per)).UTC().Format("15:04:05." + zeros)
			})
		}
	case *format.DecimalType:
		return written(func(v parquet.Value) string { return decimalText(v, int(t.Scale)) })
	case *format.UUIDType:
		return written(func(v parquet.Value) string {
			b := v.ByteArray()
			if len(b) != 16 {
				return fmt.Sprintf("%x", b)
			}
			return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
		})
	case *format.Float16Type:
		return nil, errors.New("labels and ids are whole numbers or texts, these are halves (float16)")
	}
	if e.ConvertedType.Valid && e.ConvertedType.V == deprecated.Interval || format.Type(e.Type.V) == format.Int96 {
		return nil, errors.New("it has spans of time, or times as old writers have them, which are not read as labels or ids: write them as text")
	}
	return func(v parquet.Value) string { return parquetText(v, unsigned) }, nil
}

// decimalText is a whole number of 10 to the power of -scale.
func decimalText(v parquet.Value, scale int) string {
	x := new(big.Int)
	switch v.Kind() {
	case parquet.Int32:
		x.SetInt64(int64(v.Int32()))
	case parquet.Int64:
		x.SetInt64(v.Int64())
	default:
		b := v.ByteArray() // two's complement, the largest first
		x.SetBytes(b)
		if len(b) > 0 && b[0]&0x80 != 0 {
			x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
	}
	sign := ""
	if x.Sign() < 0 {
		sign = "-"
	}
	digits := x.Abs(x).String()
	if scale <= 0 || scale > 1000 {
		return sign + digits
	}
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
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

// parquetTexts are the values of one column of all row groups; of classes, where there are any, by their names.
func parquetTexts(file *parquet.File, sound *parquetPages, leaf parquet.LeafColumn, classes []string, text func(parquet.Value) string) (texts []string, err error) {
	interned := map[string]string{}
	for group := range file.RowGroups() {
		err := sound.values(file, group, leaf, func(v parquet.Value) error {
			s := ""
			if !v.IsNull() {
				name, err := className(classes, text(v))
				if err != nil {
					return err
				}
				s = intern(interned, name)
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
