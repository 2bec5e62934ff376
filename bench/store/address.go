package store

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// Scheme begins every address.
const Scheme = "s3://"

// Is reports whether a path is the address of something in object storage.
func Is(path string) bool {
	return len(path) >= len(Scheme) && strings.EqualFold(path[:len(Scheme)], Scheme)
}

// Address is a place in object storage: an object, or, for a folder, what the keys in it begin with.
type Address struct {
	Bucket, Key string // the key without a slash at either end; empty is the whole bucket
}

// Parse reads s3://bucket/key.
func Parse(s string) (Address, error) {
	if !Is(s) {
		return Address{}, fmt.Errorf("%q is not an address: write it like s3://bucket/key", s)
	}
	bucket, key, _ := strings.Cut(s[len(Scheme):], "/")
	a := Address{bucket, strings.Trim(key, "/")}
	if err := s3utils.CheckValidBucketName(bucket); err != nil {
		return Address{}, fmt.Errorf("%s: %q cannot be the name of a bucket: %w; write s3://bucket/key", s, bucket, err)
	}
	for _, part := range strings.Split(a.Key, "/") {
		if part == "." || part == ".." || part == "" && a.Key != "" {
			return Address{}, fmt.Errorf("%s: the key has a part %q, which no folder can have here", s, part)
		}
	}
	if strings.ContainsAny(a.Key, "\\\x00") {
		return Address{}, fmt.Errorf("%s: the key has a character that no file name can have here", s)
	}
	return a, nil
}

// String is the address as [Parse] reads it.
func (a Address) String() string {
	if a.Key == "" {
		return Scheme + a.Bucket
	}
	return Scheme + a.Bucket + "/" + a.Key
}

// Join is the address of what is below a.
func (a Address) Join(rel string) Address {
	return Address{a.Bucket, strings.TrimPrefix(path.Join(a.Key, rel), "/")}
}

// Dir is the folder that a is in.
func (a Address) Dir() Address {
	dir := path.Dir(a.Key)
	if dir == "." {
		dir = ""
	}
	return Address{a.Bucket, dir}
}

// Base is the last part of the key, or the bucket's name.
func (a Address) Base() string {
	if a.Key == "" {
		return a.Bucket
	}
	return path.Base(a.Key)
}

// prefix is what the keys of the folder a begin with.
func (a Address) prefix() string {
	if a.Key == "" {
		return ""
	}
	return a.Key + "/"
}

// errNoKey says that a bucket is no place for a file.
var errNoKey = errors.New("this names a bucket, and a key is needed: write s3://bucket/key")
