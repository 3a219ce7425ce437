// go run receiver.go
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

type event struct {
	Type string
	Data struct {
		SignID int `json:"sign_id"`
		Seq    int
	}
}

func isSigned(header http.Header, body, key []byte) bool {
	sent, err := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	age := time.Since(time.Unix(sent, 0))
	if err != nil || age < -5*time.Minute || age > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", header.Get("webhook-id"), sent, body)
	expected := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, signature := range strings.Fields(header.Get("webhook-signature")) {
		if hmac.Equal([]byte(expected), []byte(signature)) {
			return true
		}
	}
	return false
}

func main() {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_"))
	if err != nil || len(key) == 0 {
		panic("WEBHOOK_SECRET is not a secret of Standard Webhooks")
	}
	http.HandleFunc("/webhook", func(response http.ResponseWriter, request *http.Request) {
		var received event
		body, err := io.ReadAll(request.Body)
		if err != nil || !isSigned(request.Header, body, key) || json.Unmarshal(body, &received) != nil {
			response.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Println(received.Type, received.Data.SignID, received.Data.Seq)
		response.WriteHeader(http.StatusNoContent)
	})
	panic(http.ListenAndServe("127.0.0.1:9000", nil))
}
