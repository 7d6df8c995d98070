package main

import (
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// The gRPC health protocol, by hand: a message is a byte for compression, four of length, and the bytes.
func grpcHealth(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	status := byte(1) // SERVING
	if defect == "grpc-not-serving" {
		status = 2
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	_, _ = w.Write([]byte{0, 0, 0, 0, 2, 8, status})
	w.Header().Set("Grpc-Status", "0")
}

// WebSockets that are told to leave when the server shuts down: hijacked connections are none of its business.
type websockets struct {
	mutex sync.Mutex
	kept  []net.Conn
}

func (own *websockets) open(w http.ResponseWriter, r *http.Request) {
	hijacker, ok := w.(http.Hijacker)
	if !ok || r.Header.Get("Upgrade") != "websocket" {
		text(400, `{"error":"no upgrade"}`)(w, r)
		return
	}
	connection, _, err := hijacker.Hijack()
	if err != nil {
		return
	}
	digest := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, _ = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "+base64.StdEncoding.EncodeToString(digest[:])+"\r\n\r\n")
	own.mutex.Lock()
	own.kept = append(own.kept, connection)
	own.mutex.Unlock()
}

func (own *websockets) closeAll() {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	for _, connection := range own.kept {
		if defect != "websocket-cut" {
			_ = connection.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = connection.Write([]byte{0x88, 2, 3, 0xe9}) // a close frame with code 1001
		}
		_ = connection.Close()
	}
}
