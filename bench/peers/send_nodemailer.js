// nodemailer, with a pool of one connection. Settings: those of all clients (README.md).
'use strict';

const fs = require('fs');
const nodemailer = require('nodemailer');

const { PORT, TLS, CA, TEXT, HTML, FILE, MODE } = process.env;
const mails = Number(process.env.MAILS);
const text = fs.readFileSync(TEXT, 'utf8');
const html = fs.readFileSync(HTML, 'utf8');
const isTls = TLS === 'implicit';

const options = {
  host: '127.0.0.1',
  port: Number(PORT),
  name: 'client.example',
  secure: isTls,
  ignoreTLS: !isTls,
  auth: { user: 'u', pass: 'p' },
  tls: isTls ? { ca: fs.readFileSync(CA) } : undefined,
};

const message = (number) => ({
  from: { name: '告警中心', address: 'bench@example.com' },
  to: 'user@discard.test',
  subject: `磁盘告警 ${number}`,
  text: text.replaceAll('{n}', number),
  html: html.replaceAll('{n}', number),
  attachments: FILE ? [{ filename: 'file.bin', path: FILE }] : undefined,
});

const now = () => Number(process.hrtime.bigint()) / 1e9;

async function sendWarm() {
  const pool = { pool: true, maxConnections: 1, maxMessages: Infinity };
  const transport = nodemailer.createTransport({ ...options, ...pool });
  await transport.sendMail(message(0));
  // Several at a time, so that the next one is always there.
  let next = 1;
  const lane = async () => {
    while (next <= mails) {
      await transport.sendMail(message(next++));
    }
  };
  const began = now();
  await Promise.all([lane(), lane(), lane(), lane()]);
  const seconds = now() - began;
  transport.close();
  return seconds;
}

async function sendFirst() {
  let seconds = 0;
  for (let number = 0; number <= mails; number++) {
    const began = now();
    await nodemailer.createTransport(options).sendMail(message(number));
    seconds += number > 0 ? now() - began : 0;
  }
  return seconds;
}

async function main() {
  const seconds = await (MODE === 'first' ? sendFirst() : sendWarm());
  console.log(`seconds=${seconds.toFixed(6)} sent=${mails}`);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
