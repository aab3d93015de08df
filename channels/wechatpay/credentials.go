package wechatpay

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"regexp"
	"strings"

	"paysaga/channels"
	"paysaga/domain/id"
)

// The names of an account's credentials.
const (
	MchID          = "mch_id"
	AppID          = "app_id"
	SerialNo       = "serial_no"
	PrivateKey     = "private_key"
	APIv3Key       = "api_v3_key"
	PublicKeyID    = "public_key_id"
	PublicKey      = "public_key"
	TransferScene  = "transfer_scene_id"
	TransferReport = "transfer_scene_report"
)

// publicPrefix begins the id of every public key of WeChat Pay, and no serial number of a certificate.
const publicPrefix = "PUB_KEY_ID_"

var credentials = []channels.Credential{
	{Name: MchID, Required: true, Help: "the merchant's number", Check: shaped(`^[0-9]{8,10}$`, "a merchant's number has 8 to 10 digits")},
	{Name: AppID, Required: true, Help: "the app id that is bound to the merchant's number, wx…",
		Check: shaped(`^[0-9A-Za-z]{1,32}$`, "an app id has at most 32 letters and digits")},
	{Name: SerialNo, Required: true, Help: "the serial number of the merchant's API certificate",
		Check: shaped(`^[0-9A-F]{1,40}$`, "a serial number is written in at most 40 hexadecimal capitals")},
	{Name: PrivateKey, Required: true, Help: "the API certificate's private key, PEM (apiclient_key.pem)", Check: func(v string, _ id.Book) string {
		return complaint(parsePrivate(v))
	}},
	{Name: APIv3Key, Required: true, Help: "the APIv3 key, 32 characters", Check: shaped(`^[ -~]{32}$`, "an APIv3 key has 32 ASCII characters")},
	{Name: PublicKeyID, Help: "the id of WeChat Pay's public key; without it the platform's certificates are fetched",
		Check: shaped(`^`+publicPrefix+`[0-9A-Za-z]{1,64}$`, "the id of a public key begins with "+publicPrefix)},
	{Name: PublicKey, Help: "WeChat Pay's public key, PEM (pub_key.pem); together with its id", Check: func(v string, _ id.Book) string {
		return complaint(parsePublic(v))
	}},
	{Name: TransferScene, Help: "the scene of transfers to users, such as 1000; payouts need it",
		Check: shaped(`^[0-9]{1,36}$`, "a scene's id is a number")},
	{Name: TransferReport, Help: "what the scene wants reported with each transfer: name=text;name=text", Check: func(v string, _ id.Book) string {
		return complaint(parseReport(v))
	}},
}

func shaped(pattern, message string) func(string, id.Book) string {
	shape := regexp.MustCompile(pattern)
	return func(value string, _ id.Book) string {
		if shape.MatchString(value) {
			return ""
		}
		return message
	}
}

func complaint[T any](_ T, err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

// parsePrivate reads PKCS#8, as the merchant platform hands it out, and PKCS#1. No error quotes anything.
func parsePrivate(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("a private key is PEM text")
	}
	var key any
	var err error
	if key, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	if key, ok := key.(*rsa.PrivateKey); err == nil && ok && key.N.BitLen() >= 2048 {
		return key, nil
	}
	return nil, errors.New("a private key is an RSA key of at least 2048 bits, PKCS#8 or PKCS#1")
}

// parsePublic reads a public key, or the one of a certificate.
func parsePublic(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("a public key is PEM text")
	}
	if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
		if key, ok := cert.PublicKey.(*rsa.PublicKey); ok {
			return key, nil
		}
	}
	if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
		if key, ok := key.(*rsa.PublicKey); ok {
			return key, nil
		}
	}
	if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
		return key, nil
	}
	return nil, errors.New("a public key is an RSA key, SPKI or PKCS#1")
}

// report is one thing that a transfer's scene wants to know.
type report struct {
	Type    string `json:"info_type"`
	Content string `json:"info_content"`
}

func parseReport(text string) ([]report, error) {
	var list []report
	for _, part := range strings.Split(text, ";") {
		name, content, ok := strings.Cut(part, "=")
		if part == "" {
			continue
		}
		if !ok || name == "" || content == "" {
			return nil, errors.New("a scene's report is written name=text;name=text")
		}
		list = append(list, report{name, content})
	}
	return list, nil
}
