// Go's net/smtp with a message made by mime/multipart for each mail. Settings:
// those of all clients (README.md).
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"time"
)

const lineLength = 76

var (
	address   = "127.0.0.1:" + os.Getenv("PORT")
	text      = read("TEXT")
	html      = read("HTML")
	file      = os.Getenv("FILE")
	tlsConfig = makeConfig()
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func read(setting string) string {
	bytes, err := os.ReadFile(os.Getenv(setting))
	must(err)
	return string(bytes)
}

func makeConfig() *tls.Config {
	if os.Getenv("TLS") != "implicit" {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(read("CA")))
	config := &tls.Config{ServerName: "127.0.0.1", RootCAs: pool}
	if os.Getenv("RESUME") == "true" {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	return config
}

func connect() *smtp.Client {
	connection, err := net.Dial("tcp", address)
	must(err)
	if tlsConfig != nil {
		connection = tls.Client(connection, tlsConfig)
	}
	client, err := smtp.NewClient(connection, "127.0.0.1")
	must(err)
	must(client.Hello("client.example"))
	must(client.Auth(smtp.PlainAuth("", "u", "p", "127.0.0.1")))
	return client
}

// breaker ends lines after 76 characters, which encoding/base64 does not.
type breaker struct {
	to     *bufio.Writer
	column int
}

func (b *breaker) Write(bytes []byte) (int, error) {
	for rest := bytes; len(rest) > 0; {
		size := lineLength - b.column
		if size > len(rest) {
			size = len(rest)
		}
		b.to.Write(rest[:size])
		rest = rest[size:]
		b.column += size
		if b.column == lineLength {
			b.to.WriteString("\r\n")
			b.column = 0
		}
	}
	return len(bytes), nil
}

func addPart(to *multipart.Writer, contentType, encoding string) io.Writer {
	header := textproto.MIMEHeader{}
	header.Set("Content-Type", contentType)
	header.Set("Content-Transfer-Encoding", encoding)
	part, err := to.CreatePart(header)
	must(err)
	return part
}

func addText(to *multipart.Writer, contentType, template string, number int) {
	encoder := quotedprintable.NewWriter(addPart(to, contentType, "quoted-printable"))
	_, err := io.WriteString(encoder, strings.ReplaceAll(template, "{n}", strconv.Itoa(number)))
	must(err)
	must(encoder.Close())
}

func addTexts(to *multipart.Writer, number int) {
	addText(to, "text/plain; charset=utf-8", text, number)
	addText(to, "text/html; charset=utf-8", html, number)
	must(to.Close())
}

func addFile(to *multipart.Writer) {
	source, err := os.Open(file)
	must(err)
	defer source.Close()
	lines := bufio.NewWriterSize(addPart(to, "application/octet-stream", "base64"), 65536)
	encoder := base64.NewEncoder(base64.StdEncoding, &breaker{to: lines})
	// No ReadFrom, no WriteTo: they would choose a buffer of their own.
	_, err = io.CopyBuffer(struct{ io.Writer }{encoder}, struct{ io.Reader }{source},
		make([]byte, 57*1024))
	must(err)
	must(encoder.Close())
	must(lines.Flush())
}

func writeMessage(to io.Writer, number int) {
	texts := multipart.NewWriter(to)
	fmt.Fprintf(to, "From: %s <bench@example.com>\r\nTo: user@discard.test\r\nSubject: %s\r\n"+
		"Date: %s\r\nMessage-ID: <%d.%d@example.com>\r\nMIME-Version: 1.0\r\n",
		mime.BEncoding.Encode("utf-8", "告警中心"),
		mime.BEncoding.Encode("utf-8", fmt.Sprintf("磁盘告警 %d", number)),
		time.Now().Format(time.RFC1123Z), time.Now().UnixNano(), number)
	alternative := "multipart/alternative; boundary=" + texts.Boundary()
	if file == "" {
		fmt.Fprintf(to, "Content-Type: %s\r\n\r\n", alternative)
		addTexts(texts, number)
		return
	}
	mixed := multipart.NewWriter(to)
	fmt.Fprintf(to, "Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n"+
		"Content-Type: %s\r\n\r\n", mixed.Boundary(), mixed.Boundary(), alternative)
	addTexts(texts, number)
	fmt.Fprint(to, "\r\n")
	addFile(mixed)
	must(mixed.Close())
}

func send(client *smtp.Client, number int) {
	must(client.Mail("bench@example.com"))
	must(client.Rcpt("user@discard.test"))
	data, err := client.Data()
	must(err)
	message := bufio.NewWriterSize(data, 65536)
	writeMessage(message, number)
	must(message.Flush())
	must(data.Close())
}

func sendWarm(mails int) time.Duration {
	client := connect()
	send(client, 0)
	began := time.Now()
	for number := 1; number <= mails; number++ {
		send(client, number)
	}
	taken := time.Since(began)
	must(client.Quit())
	return taken
}

func sendFirst(mails int) time.Duration {
	var taken time.Duration
	for number := 0; number <= mails; number++ {
		began := time.Now()
		client := connect()
		send(client, number)
		if number > 0 {
			taken += time.Since(began)
		}
		must(client.Quit())
	}
	return taken
}

func main() {
	mails, err := strconv.Atoi(os.Getenv("MAILS"))
	must(err)
	sendAll := sendWarm
	if os.Getenv("MODE") == "first" {
		sendAll = sendFirst
	}
	fmt.Printf("seconds=%.6f sent=%d\n", sendAll(mails).Seconds(), mails)
}
