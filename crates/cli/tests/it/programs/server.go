// A service with net/http alone: files with ranges, and what was uploaded.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func upload(response http.ResponseWriter, request *http.Request) {
	hash := sha256.New()
	bytes, err := io.Copy(hash, request.Body)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	json.NewEncoder(response).Encode(map[string]any{"bytes": bytes, "sha256": fmt.Sprintf("%x", hash.Sum(nil))})
}

func main() {
	http.HandleFunc("/json", func(response http.ResponseWriter, request *http.Request) {
		response.Header().Set("Content-Type", "application/json")
		io.WriteString(response, `{"id":7,"title":"write it down"}`)
	})
	http.HandleFunc("/upload", upload)
	http.Handle("/", http.FileServer(http.Dir(".")))
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT")}
	stopped := make(chan struct{})
	go func() {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		<-signals
		server.Shutdown(context.Background())
		close(stopped)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-stopped
}
