// A callback server for a co-signer node: it is asked about every task before the node takes part, and only its signed
// "APPROVE" lets the node sign. This file owns the exchange: HTTP, the node's token, the signed answer. What is approved
// is decided in decide.go.
//
//	go run . config.json
package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxBody      = 4 << 20
	clockSkew    = 60   // seconds that two clocks may be apart
	maxLifetime  = 3900 // a token of a node lives for minutes
	answerExpiry = 120
	maxSeen      = 100_000
)

// Config is config.json; file names are relative to it.
type Config struct {
	Listen         string   `json:"listen"`
	PrivateKey     string   `json:"private_key"`
	NodePublicKeys []string `json:"node_public_keys"`
	AllowKeyGen    bool     `json:"allow_key_gen"`
	ChainName      string   `json:"chain_name"`
	ChainID        uint64   `json:"chain_id"`
	CoinType       uint32   `json:"coin_type"`
	Destinations   []string `json:"destinations"`
	MaxAmountWei   string   `json:"max_amount_wei"`
	MaxFeeWei      string   `json:"max_fee_wei"`
}

type answer struct {
	RequestID string `json:"request_id"`
	Status    int    `json:"status"` // 0 decided, 10 invalid request, 20 invalid token
	Action    string `json:"action,omitempty"`
	Error     string `json:"error,omitempty"`
}

type server struct {
	rules    *rules
	key      *rsa.PrivateKey
	nodeKeys []*rsa.PublicKey
	mutex    sync.Mutex
	seen     map[string][32]byte
	order    []string
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: callbackserver config.json")
	}
	config, err := readConfig(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	s, err := newServer(config, filepath.Dir(os.Args[1]))
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ping", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{"server": "go-callback-server", "timestamp": time.Now().UnixMilli()})
	})
	mux.HandleFunc("/v2/check", s.check)
	log.Printf("listening on %s", config.Listen)
	web := &http.Server{Addr: config.Listen, Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	log.Fatal(web.ListenAndServe())
}

func readConfig(path string) (*Config, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var config Config
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	return &config, decoder.Decode(&config)
}

func newServer(config *Config, folder string) (*server, error) {
	rules, err := newRules(config)
	if err != nil {
		return nil, err
	}
	s := &server{rules: rules, seen: map[string][32]byte{}}
	if s.key, err = readPrivateKey(filepath.Join(folder, config.PrivateKey)); err != nil {
		return nil, err
	}
	for _, name := range config.NodePublicKeys {
		der, err := readPEM(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		key, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return nil, err
		}
		node, ok := key.(*rsa.PublicKey)
		if !ok {
			return nil, errors.New(name + ": not an RSA key")
		}
		s.nodeKeys = append(s.nodeKeys, node)
	}
	if len(s.nodeKeys) == 0 {
		return nil, errors.New("node_public_keys names no key")
	}
	return s, nil
}

func readPEM(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New(path + ": no PEM")
	}
	return block.Bytes, nil
}

func readPrivateKey(path string) (*rsa.PrivateKey, error) {
	der, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New(path + ": not an RSA key")
	}
	return private, nil
}

func (s *server) check(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	var reply answer
	if err := r.ParseForm(); err != nil {
		reply = answer{Status: 10, Error: "the form cannot be read"}
	} else {
		reply = s.respond(r.PostForm.Get("TSS_JWT_MSG"))
	}
	log.Printf("request %q status %d %s %q", reply.RequestID, reply.Status, reply.Action, reply.Error)
	token, err := s.sign(reply)
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(token))
}

func (s *server) respond(token string) answer {
	body, err := s.open(token, time.Now().Unix())
	if err != nil {
		return answer{Status: 20, Error: err.Error()}
	}
	request, err := readRequest(body)
	if err != nil {
		return answer{Status: 10, Error: err.Error()}
	}
	if request.kind == 0 {
		return answer{RequestID: request.id, Action: "APPROVE"}
	}
	if !s.sameAsBefore(request.id, body) {
		return answer{RequestID: request.id, Status: 10, Action: "REJECT", Error: "this request id was used for another request"}
	}
	if err := s.rules.decide(request); err != nil {
		return answer{RequestID: request.id, Action: "REJECT", Error: err.Error()}
	}
	return answer{RequestID: request.id, Action: "APPROVE"}
}

// sameAsBefore remembers what an id stands for: a node repeats a request under its id, and nobody may put another one in
// its place.
func (s *server) sameAsBefore(id string, body []byte) bool {
	digest := sha256.Sum256(body)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if before, known := s.seen[id]; known {
		return before == digest
	}
	s.seen[id] = digest
	s.order = append(s.order, id)
	if len(s.order) > maxSeen {
		delete(s.seen, s.order[0])
		s.order = s.order[1:]
	}
	return true
}

// open verifies a token: RS256 and nothing else, a node's key, the times. It returns the body inside.
func (s *server) open(token string, now int64) ([]byte, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("it is no token")
	}
	header, err := decodeObject(parts[0])
	if err != nil || header["alg"] != "RS256" {
		return nil, errors.New("the token is not of RS256")
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || !s.isOfANode([]byte(parts[0]+"."+parts[1]), signature) {
		return nil, errors.New("no known node signed it")
	}
	claims, err := decodeObject(parts[1])
	if err != nil {
		return nil, errors.New("the token has no claims")
	}
	if err := checkTimes(claims, now); err != nil {
		return nil, err
	}
	data, _ := claims["package_data"].(string)
	body, err := base64.StdEncoding.Strict().DecodeString(data)
	if err != nil || len(body) == 0 {
		return nil, errors.New("the token has no package_data")
	}
	return body, nil
}

func (s *server) isOfANode(signed, signature []byte) bool {
	digest := sha256.Sum256(signed)
	for _, key := range s.nodeKeys {
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil {
			return true
		}
	}
	return false
}

func decodeObject(part string) (map[string]any, error) {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return nil, err
	}
	var object map[string]any
	return object, json.Unmarshal(text, &object)
}

func checkTimes(claims map[string]any, now int64) error {
	expires, ok := claims["exp"].(float64)
	if !ok || expires <= float64(now-clockSkew) {
		return errors.New("the token is expired")
	}
	if expires > float64(now+maxLifetime) {
		return errors.New("the token is valid for too long")
	}
	for _, name := range []string{"nbf", "iat"} {
		if claims[name] == nil {
			continue
		}
		if time, ok := claims[name].(float64); !ok || time > float64(now+clockSkew) {
			return errors.New("the token is from the future")
		}
	}
	return nil
}

func (s *server) sign(reply answer) (string, error) {
	body, err := json.Marshal(reply)
	if err != nil {
		return "", err
	}
	claims := `{"package_data":"` + base64.StdEncoding.EncodeToString(body) + `","exp":` +
		strconv.FormatInt(time.Now().Unix()+answerExpiry, 10) + `,"iss":""}`
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode([]byte(claims))
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, digest[:])
	return signed + "." + encode(signature), err
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
