// Go net/http. Without DEFECT it keeps every promise; with one it breaks what the name says.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	defect   = os.Getenv("DEFECT")
	draining atomic.Bool

	wellFormed = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
)

func common(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		header.Set("Referrer-Policy", "no-referrer")
		if r.TLS != nil && defect != "no-hsts" {
			header.Set("Strict-Transport-Security", "max-age=31536000")
		}
		id := r.Header.Get("X-Request-Id")
		if !wellFormed.MatchString(id) {
			made := make([]byte, 16)
			_, _ = rand.Read(made)
			id = hex.EncodeToString(made)
		}
		header.Set("X-Request-Id", id)
		if draining.Load() && defect != "no-connection-close" {
			header.Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func main() {
	mux := http.NewServeMux()
	index := "GET /{$}"
	if defect == "any-method" {
		index = "/{$}"
	}
	mux.HandleFunc(index, text(200, `{"hello":"world"}`))
	mux.HandleFunc("POST /grpc.health.v1.Health/Check", grpcHealth)
	sockets := &websockets{}
	mux.HandleFunc("GET /websocket", sockets.open)
	mux.HandleFunc("GET /livez", text(200, `{"status":"alive"}`))
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() && defect != "ready-always" {
			text(503, `{"status":"draining"}`)(w, r)
			return
		}
		text(200, `{"status":"ready"}`)(w, r)
	})
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(1200 * time.Millisecond)
		text(200, `{"slow":true}`)(w, r)
	})
	mux.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 1<<20)); err != nil {
			text(413, `{"error":"too large"}`)(w, r)
			return
		}
		text(200, `{"ok":true}`)(w, r)
	})
	server := &http.Server{
		Addr: net.JoinHostPort("127.0.0.1", os.Getenv("PORT")), Handler: common(mux),
		ReadHeaderTimeout: 3 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 75 * time.Second,
		MaxHeaderBytes: 32 << 10, Protocols: new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	signals := make(chan os.Signal, 2)
	if defect != "no-handler" {
		signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	}
	stopped := make(chan struct{})
	go func() {
		<-signals
		draining.Store(true)
		go func() {
			<-signals
			os.Exit(1)
		}()
		if defect != "closes-listener-at-once" {
			time.Sleep(2500 * time.Millisecond)
		}
		if defect == "cuts-in-flight" {
			os.Exit(0)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 6*time.Second)
		defer cancel()
		// What RegisterOnShutdown calls is not waited for.
		sockets.closeAll()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
		close(stopped)
	}()
	serve := server.ListenAndServe
	if directory := os.Getenv("ZOO_TLS"); directory != "" {
		serve = func() error { return server.ListenAndServeTLS(directory+"/cert.pem", directory+"/key.pem") }
	}
	if err := serve(); err != http.ErrServerClosed {
		_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
		os.Exit(1)
	}
	<-stopped
}
