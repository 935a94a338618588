// What parsers nobody of this project wrote make of messages.
//
// usage: judge.js FILE    with NODE_PATH where `make judges` put them
//
// FILE holds a JSON list of jobs, the answers are a JSON list on standard output:
//   { "mail": path }                   what mailparser reads in a message, and
//                                      ical.js in the calendars it finds there
//   { "dkim": path, "keys": { name: TXT record } }
//                                      what mailauth says of its signatures; a
//                                      name without a record is not known to DNS
// An answer is { "error": text } where a parser gave up.

'use strict';

const crypto = require('crypto');
const fs = require('fs');
const url = require('url');
const ical = require('ical.js');
const libmime = require('libmime');
const { dkimVerify } = require('mailauth/lib/dkim/verify');
const { simpleParser } = require('mailparser');

const ICAL = ical.default || ical;

// As the message has it: no links put into texts, no images into HTML.
const AS_IT_IS = {
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipTextLinks: true,
    skipImageLinks: true,
    keepCidLinks: true
};

const sha256 = data => crypto.createHash('sha256').update(data).digest('hex');

// mailparser shows domains as people read them: back to the form they came in.
const ascii = address => address.replace(/[^@]*$/, domain => url.domainToASCII(domain) || domain);

const people = field => [].concat(field || [])
    .flatMap(one => one.value)
    .flatMap(one => one.group ? one.group : [one])
    .map(one => ({ name: one.name, address: ascii(one.address) }));

const text = value => typeof value === 'string' ? value : null;

function event(component) {
    const found = new ICAL.Event(component);
    const property = name => {
        const one = component.getFirstProperty(name);
        return one && {
            value: one.getFirstValue(),
            name: one.getParameter('cn') || null,
            partstat: one.getParameter('partstat') || null
        };
    };
    return {
        uid: found.uid,
        summary: found.summary,
        description: found.description,
        location: found.location,
        sequence: found.sequence,
        status: component.getFirstPropertyValue('status'),
        start: found.startDate && found.startDate.toJSDate().toISOString(),
        organizer: property('organizer'),
        attendees: component.getAllProperties('attendee').map(one => ({
            value: one.getFirstValue(),
            name: one.getParameter('cn') || null,
            partstat: one.getParameter('partstat') || null
        }))
    };
}

function calendar(content) {
    const root = new ICAL.Component(ICAL.parse(content.toString('utf8')));
    return {
        method: root.getFirstPropertyValue('method'),
        events: root.getAllSubcomponents('vevent').map(event)
    };
}

async function attachment(part) {
    const type = part.headers.get('content-type');
    const facts = {
        name: part.filename || null,
        type: part.contentType,
        params: type ? type.params : {},
        cid: part.contentId || null,
        disposition: part.contentDisposition || null,
        related: Boolean(part.related),
        size: part.content.length,
        sha256: sha256(part.content)
    };
    if (/^(text\/calendar|application\/ics)$/.test(part.contentType)) {
        facts.calendar = calendar(part.content);
    } else if (part.contentType === 'message/rfc822') {
        facts.message = await mail(part.content);
    }
    return facts;
}

async function mail(content) {
    const found = await simpleParser(content, AS_IT_IS);
    return {
        from: people(found.from),
        to: people(found.to),
        cc: people(found.cc),
        bcc: people(found.bcc),
        reply_to: people(found.replyTo),
        sender: people(found.headers.get('sender')),
        subject: text(found.subject),
        message_id: text(found.messageId),
        in_reply_to: text(found.inReplyTo),
        references: [].concat(found.references || []),
        priority: text(found.priority),
        date: found.date ? found.date.toISOString() : null,
        list: found.headers.get('list') || null,
        headers: found.headerLines.map(field),
        text: text(found.text),
        html: text(found.html),
        parts: await Promise.all(found.attachments.map(attachment))
    };
}

// mailparser decodes the fields it knows; its decoder reads the others as well.
function field(one) {
    const value = one.line.replace(/\r?\n(?=[ \t])/g, '').replace(/^[^:]*:[ \t]*/, '');
    return [one.key, libmime.decodeWords(value)];
}

function resolver(keys) {
    return async name => {
        if (keys[name]) {
            return [[keys[name]]];
        }
        throw Object.assign(new Error('no record for ' + name), { code: 'ENOTFOUND' });
    };
}

async function dkim(content, keys) {
    const found = await dkimVerify(content, { resolver: resolver(keys) });
    return found.results.map(one => ({
        result: one.status.result,
        comment: one.status.comment || null,
        domain: one.signingDomain,
        selector: one.selector,
        algorithm: one.algo,
        format: one.format,
        headers: one.signingHeaders && one.signingHeaders.keys,
        body_hash: one.bodyHash
    }));
}

const answer = async job => job.dkim
    ? dkim(fs.readFileSync(job.dkim), job.keys || {})
    : mail(fs.readFileSync(job.mail));

async function main(path) {
    const answers = [];
    for (const job of JSON.parse(fs.readFileSync(path, 'utf8'))) {
        answers.push(await answer(job).catch(err => ({ error: String(err.stack || err) })));
    }
    process.stdout.write(JSON.stringify(answers));
}

main(process.argv[2]);
