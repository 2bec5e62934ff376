package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"

	"github.com/minio/minio-go/v7"
)

// Kind is what sort of thing went wrong, as far as a caller would do different things.
type Kind int

// The kinds of an [Error].
const (
	Other       Kind = iota
	NotFound         // no such bucket or object
	Denied           // not allowed, or not known
	Unreachable      // nobody answers, or not in time
	Changed          // another object than the one that was begun or expected
	Damaged          // the bytes are not those that were meant
)

// Error says what could not be done with what is at an address, why, and what to do about it.
type Error struct {
	Doing   string // fetching, storing, listing
	Address Address
	Kind    Kind
	Cause   string // in plain words, with the fix
	err     error
}

func (e *Error) Error() string { return fmt.Sprintf("%s %s: %s", e.Doing, e.Address, e.Cause) }

// Unwrap gives the error of the client beneath.
func (e *Error) Unwrap() error { return e.err }

// IsNotFound reports whether err says that there is no such bucket or object.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == NotFound
}

// explain puts an error of the client into words. It is nil for nil, and an interruption stays one.
func (s *Store) explain(doing string, a Address, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	e := &Error{Doing: doing, Address: a, err: err}
	e.Kind, e.Cause = s.cause(a, err)
	return e
}

func (s *Store) cause(a Address, err error) (Kind, string) {
	var local *os.PathError
	if errors.As(err, &local) {
		return Other, err.Error()
	}
	if kind, text, ok := s.unreachable(err); ok {
		return kind, text
	}
	var res minio.ErrorResponse
	if !errors.As(err, &res) {
		return Other, oneLine(err)
	}
	said := res.Message
	if said == "" {
		said = res.Code
	}
	with := s.creds.tell()
	switch {
	case res.Code == "NoSuchBucket":
		return NotFound, fmt.Sprintf("there is no bucket %s at %s: look at the name and at AWS_ENDPOINT_URL_S3; annbench makes no buckets", a.Bucket, s.endpoint)
	case res.Code == "NoSuchKey" || res.Code == "NoSuchVersion":
		return NotFound, "there is no such object or folder in the bucket"
	case res.Code == "InvalidAccessKeyId" || res.Code == "XAdminUserNotFound": // the second is versitygw's
		return Denied, fmt.Sprintf("%s does not know the access key; %s", s.endpoint, with)
	case res.Code == "SignatureDoesNotMatch":
		return Denied, fmt.Sprintf("the secret key does not belong to the access key; %s", with)
	case res.Code == "ExpiredToken" || res.Code == "ExpiredTokenException" || res.Code == "TokenRefreshRequired":
		return Denied, fmt.Sprintf("the credentials have expired: get new ones; %s", with)
	case res.Code == "RequestTimeTooSkewed":
		return Denied, "this machine's clock is wrong, and requests are signed with the time: set it"
	case res.Code == "AuthorizationHeaderMalformed" || res.Code == "PermanentRedirect" || res.Code == "InvalidRegion" ||
		res.Code == "IllegalLocationConstraintException" || res.Code == "Redirect" || res.StatusCode == http.StatusMovedPermanently:
		fix := "set AWS_REGION to the bucket's region, and AWS_ENDPOINT_URL_S3 to that region's endpoint if it is set"
		if res.Region != "" {
			fix = fmt.Sprintf("the bucket's region is %s: set AWS_REGION=%s", res.Region, res.Region)
		}
		return Denied, fmt.Sprintf("the region is wrong (%s): %s", said, fix)
	case res.Code == "AccessDenied" || res.Code == "AllAccessDisabled" || res.Code == "AccountProblem" ||
		res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusUnauthorized:
		return Denied, fmt.Sprintf("access denied (%s): either they are not allowed this, or there is no such object and they may not list the bucket; %s", said, with)
	case res.Code == "PreconditionFailed" || res.StatusCode == http.StatusPreconditionFailed:
		return Changed, "it was changed meanwhile: run the same command again"
	case res.Code == "BadDigest" || res.Code == "XAmzContentSHA256Mismatch" || res.Code == "XAmzContentChecksumMismatch":
		return Damaged, "the bytes that arrived there are not those that were sent: run the same command again"
	case res.Code == "SlowDown" || res.Code == "ServiceUnavailable" || res.StatusCode >= 500:
		return Unreachable, fmt.Sprintf("%s cannot answer now (%d, %s), %d times in a row: run the same command again later, it resumes from there", s.endpoint, res.StatusCode, said, tries)
	case res.Code == "InvalidObjectState":
		return Denied, "the object is archived: restore it first"
	case res.Code == "EntityTooLarge" || res.Code == "QuotaExceeded" || res.Code == "XMinioStorageFull":
		return Other, "the server has no room for it: " + said
	}
	return Other, fmt.Sprintf("%s answers %q (%s)", s.endpoint, said, res.Code)
}

// unreachable puts what happened below HTTP into words.
func (s *Store) unreachable(err error) (Kind, string, bool) {
	const again = "; run the same command again, it resumes from there"
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return Unreachable, fmt.Sprintf("%s cannot be reached: no host has the name %s; look at AWS_ENDPOINT_URL_S3 and at the network", s.endpoint, dns.Name), true
	case errors.Is(err, syscall.ECONNREFUSED):
		return Unreachable, fmt.Sprintf("%s cannot be reached: nobody answers at that port; look at AWS_ENDPOINT_URL_S3, and whether the server runs", s.endpoint), true
	case errors.As(err, &authority) || errors.As(err, &host):
		return Unreachable, fmt.Sprintf("%s is not trusted: %v; name its authority with AWS_CA_BUNDLE", s.endpoint, oneLine(err)), true
	case errors.As(err, &record):
		return Unreachable, fmt.Sprintf("%s does not speak TLS: write http:// in AWS_ENDPOINT_URL_S3 if it is meant to be without", s.endpoint), true
	case errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, os.ErrDeadlineExceeded):
		return Unreachable, fmt.Sprintf("%s did not answer: no byte came or went for %v%s", s.endpoint, s.Stall, again), true
	case errors.Is(err, errBroken):
		return Unreachable, fmt.Sprintf("the connection to %s broke again and again: %s%s", s.endpoint, oneLine(err), again), true
	}
	var u *url.Error
	if errors.As(err, &u) {
		if u.Err != nil && u.Err.Error() == "http: server gave HTTP response to HTTPS client" {
			return Unreachable, fmt.Sprintf("%s does not speak TLS: write http:// in AWS_ENDPOINT_URL_S3 if it is meant to be without", s.endpoint), true
		}
		return Unreachable, fmt.Sprintf("%s cannot be reached: %v%s", s.endpoint, u.Err, again), true
	}
	return Other, "", false
}

// errBroken is a transfer that ended early, as often as that is borne.
var errBroken = errors.New("it ended early")
