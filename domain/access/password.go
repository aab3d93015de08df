package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"paysaga/domain/fault"
)

// How much a guess costs: RFC 9106 with what OWASP asks for at least. A stored hash says its own costs, so these can grow.
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
	argonKey    = 32
	saltLen     = 16
)

// SaltLen is how many random bytes HashPassword wants.
const SaltLen = saltLen

// HashPassword is what is kept of a password: an argon2id hash that tells its own costs and salt.
func HashPassword(password string, salt [SaltLen]byte) string {
	key := argon2.IDKey([]byte(password), salt[:], argonTime, argonMemory, 1, argonKey)
	b := base64.RawStdEncoding
	return "$argon2id$v=19$m=" + strconv.Itoa(argonMemory) + ",t=" + strconv.Itoa(argonTime) + ",p=1$" + b.EncodeToString(salt[:]) + "$" + b.EncodeToString(key)
}

// VerifyPassword says whether a password is the one of a hash. Without a hash it takes as long and says no, so that the time doesn't tell
// which logins there are.
func VerifyPassword(hash, password string) bool {
	none := hash == ""
	if none {
		hash = nobodys
	}
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != "v=19" {
		return false
	}
	memory, time, ok := costs(parts[3])
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	want, wrong := base64.RawStdEncoding.DecodeString(parts[5])
	if !ok || err != nil || wrong != nil || len(want) < 16 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, time, memory, 1, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1 && !none
}

// nobodys has the form and the costs of a hash.
var nobodys = "$argon2id$v=19$m=" + strconv.Itoa(argonMemory) + ",t=" + strconv.Itoa(argonTime) + ",p=1$" + strings.Repeat("A", 22) + "$" + strings.Repeat("A", 43)

// costs reads "m=19456,t=2,p=1".
func costs(text string) (memory, time uint32, ok bool) {
	m, rest, found := strings.Cut(strings.TrimPrefix(text, "m="), ",t=")
	t, lanes, more := strings.Cut(rest, ",p=")
	memory64, err := strconv.ParseUint(m, 10, 21) // 2 GiB
	time64, wrong := strconv.ParseUint(t, 10, 8)
	return uint32(memory64), uint32(time64), found && more && lanes == "1" && err == nil && wrong == nil && time64 > 0
}

// Login is by what a user logs in: a name, a mail address or a phone number of their choice, once per merchant.
type Login string

// CheckLogin is a login in its one spelling: without spaces around it and in lower case.
func CheckLogin(text string) (Login, error) {
	login := strings.ToLower(strings.TrimSpace(text))
	n := utf8.RuneCountInString(login)
	if !utf8.ValidString(text) || n < 3 || n > 200 || strings.ContainsFunc(login, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return "", fault.Invalid("login_invalid", "login", "a login is 3 to 200 characters, none of them a space or a control character")
	}
	return Login(login), nil
}

// CheckPassword refuses what is guessed first. Length is what counts, not kinds of characters.
func CheckPassword(password string, login Login) error {
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password), n < 10, n > 200:
		return fault.Invalid("password_invalid", "password", "a password is 10 to 200 characters")
	case strings.EqualFold(password, string(login)), strings.Count(password, password[:1]) == len(password):
		return fault.Invalid("password_invalid", "password", "this password is guessed first")
	}
	return nil
}

// Digest is the form in which a login is kept: keyed, so that a copy of the table doesn't tell who has an account.
func (l Login) Digest(secret []byte, merchant string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("login\x00" + merchant + "\x00" + string(l)))
	return mac.Sum(nil)
}

const (
	freeGuesses = 5
	maxWait     = 15 * time.Minute
	forgotten   = 24 * time.Hour
)

// NextGuess is the earliest time for the next try of a login after so many wrong ones, the last of them at a time. The waits double up to
// 15 minutes, so that nobody can lock a user out for good, and nobody guesses more than about a hundred a day.
func NextGuess(failed int, last time.Time) time.Time {
	if failed < freeGuesses {
		return last
	}
	wait := maxWait
	if n := failed - freeGuesses; n < 10 {
		wait = min(maxWait, time.Second<<n)
	}
	return last.Add(wait)
}

// Forgets says whether wrong tries, the last of them at a time, count no more.
func Forgets(last, now time.Time) bool { return now.Sub(last) > forgotten }
