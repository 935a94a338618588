// Go's mime/multipart: a message with the file FILE, written to OUT.
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"os"
	"strings"
	"time"
)

const lineLength = 76

// lines breaks what is written to it into lines: the library has no public
// writer for that.
type lines struct {
	out  *bufio.Writer
	used int
}

func (l *lines) Write(bytes []byte) (int, error) {
	total := len(bytes)
	for len(bytes) > 0 {
		n := lineLength - l.used
		if n > len(bytes) {
			n = len(bytes)
		}
		l.out.Write(bytes[:n])
		bytes = bytes[n:]
		l.used += n
		if l.used == lineLength {
			l.out.WriteString("\r\n")
			l.used = 0
		}
	}
	return total, nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func part(to *multipart.Writer, out *bufio.Writer, kind, disposition string, from io.Reader) {
	header := textproto.MIMEHeader{}
	header.Set("Content-Type", kind)
	header.Set("Content-Transfer-Encoding", "base64")
	if disposition != "" {
		header.Set("Content-Disposition", disposition)
	}
	_, err := to.CreatePart(header)
	check(err)
	encoder := base64.NewEncoder(base64.StdEncoding, &lines{out: out})
	_, err = io.CopyBuffer(struct{ io.Writer }{encoder}, struct{ io.Reader }{from},
		make([]byte, 57*1024))
	check(err)
	check(encoder.Close())
}

func writeMessage(out *bufio.Writer, file io.Reader) {
	parts := multipart.NewWriter(out)
	from := mime.BEncoding.Encode("utf-8", "通知") + " <notify@bench.example>"
	fmt.Fprintf(out, "From: %s\r\nTo: user@bench.example\r\nSubject: %s\r\n", from,
		mime.BEncoding.Encode("utf-8", "磁盘告警"))
	fmt.Fprintf(out, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n",
		parts.Boundary())
	text := strings.NewReader("磁盘空间不足，日志见附件。\r\n")
	part(parts, out, "text/plain; charset=utf-8", "", text)
	name := mime.FormatMediaType("attachment", map[string]string{"filename": "日志.bin"})
	part(parts, out, "application/octet-stream", name, file)
	check(parts.Close())
	check(out.Flush())
}

func main() {
	began := time.Now()
	file, err := os.Open(os.Getenv("FILE"))
	check(err)
	out, err := os.OpenFile(os.Getenv("OUT"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	check(err)
	writeMessage(bufio.NewWriterSize(out, 64*1024), file)
	check(out.Close())
	fmt.Printf("seconds=%.6f\n", time.Since(began).Seconds())
}
