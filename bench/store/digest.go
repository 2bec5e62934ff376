package store

import (
	"context"
	"crypto/md5" //nolint:gosec // the server's own digest
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/minio/minio-go/v7"
)

// metaSHA256 is the name under which Push keeps the SHA-256 of an object, as x-amz-meta-sha256, in
// hexadecimal digits.
const metaSHA256 = "Sha256"

// digest is what a server knows of the content of an object; sum is empty where it knows nothing.
type digest struct {
	name string
	sum  string
	hash func() hash.Hash
	text func([]byte) string
}

var plainMD5 = regexp.MustCompile(`^[0-9a-f]{32}$`)

// nvme is the polynomial of CRC-64/NVME, reversed, as the hash of Go wants it.
var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// digestOf is the best digest of a whole object that info has. A checksum of checksums of parts is none,
// since the parts are not known; nor is the ETag of an object that is encrypted with a key of KMS or of
// the client.
func digestOf(info minio.ObjectInfo) digest {
	hexed := func(b []byte) string { return hex.EncodeToString(b) }
	based := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	if sum := strings.ToLower(info.UserMetadata[metaSHA256]); len(sum) == 2*sha256.Size {
		return digest{"SHA-256", sum, sha256.New, hexed}
	}
	for _, d := range []digest{
		{"SHA-256", info.ChecksumSHA256, sha256.New, based},
		{"CRC-64/NVME", info.ChecksumCRC64NVME, func() hash.Hash { return crc64.New(nvme) }, based},
		{"SHA-1", info.ChecksumSHA1, sha1.New, based},
		{"CRC-32C", info.ChecksumCRC32C, func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }, based},
		{"CRC-32", info.ChecksumCRC32, func() hash.Hash { return crc32.NewIEEE() }, based},
	} {
		if d.sum != "" && !strings.Contains(d.sum, "-") && info.ChecksumMode != "COMPOSITE" {
			return d
		}
	}
	encrypted := info.Headers.Get("x-amz-server-side-encryption-customer-algorithm") != "" ||
		strings.HasPrefix(info.Headers.Get("x-amz-server-side-encryption"), "aws:kms")
	if plainMD5.MatchString(info.ETag) && !encrypted {
		return digest{"MD5", info.ETag, md5.New, hexed}
	}
	return digest{}
}

// of is the same digest of the file at path.
func (d digest) of(ctx context.Context, path string) (string, error) {
	b, err := sumFile(ctx, path, d.hash())
	if err != nil {
		return "", err
	}
	return d.text(b), nil
}

func sumFile(ctx context.Context, path string, h hash.Hash) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, &watched{ctx, f, func(int64) {}}, make([]byte, 1<<20)); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}
