// nodemailer: a message with the file FILE, streamed to OUT. MODULES: where it is installed.

import { createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import { pipeline } from 'node:stream/promises';

const require = createRequire(`${process.env.MODULES}/`);
const MailComposer = require('nodemailer/lib/mail-composer');

const began = process.hrtime.bigint();
const message = new MailComposer({
  from: '通知 <notify@bench.example>',
  to: 'user@bench.example',
  subject: '磁盘告警',
  text: '磁盘空间不足，日志见附件。\n',
  attachments: [{ filename: '日志.bin', path: process.env.FILE }],
  newline: 'windows',
});
await pipeline(message.compile().createReadStream(), createWriteStream(process.env.OUT));
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
console.log(`seconds=${seconds.toFixed(6)}`);
