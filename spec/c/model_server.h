/*
 * model_server.h: a tiny SMTP server that keeps book, for tests of the machine.
 *
 * It takes the client's bytes as they come and makes replies of them. Messages
 * have numbers: the sender of number n is "sn@x", its recipients begin with
 * "n". What the server knows about each can be compared afterwards with what
 * the machine said.
 */
#ifndef MODEL_SERVER_H
#define MODEL_SERVER_H

#include "check.h"

#include <stdlib.h>

enum { MODEL_MESSAGES = 8, MODEL_LINE = 256, MODEL_OUT = 16384 };

/* What the server says no to, for one message number. */
enum model_no { MODEL_YES, MODEL_NO_MAIL, MODEL_NO_RCPT, MODEL_NO_BODY };

struct model_message {
    bool complete;      /* its last byte has come */
    bool taken;         /* its 250 was said; it ends at ... */
    size_t verdict_end; /* ... this place in the output */
    unsigned bodies;    /* how often a body for it was taken */
};

struct model {
    enum model_no no[MODEL_MESSAGES];
    struct model_message messages[MODEL_MESSAGES];
    char line[MODEL_LINE];
    size_t line_len;
    bool in_data;
    size_t chunk_left;
    bool in_chunk;
    bool has_mail;
    unsigned rcpt_count;
    unsigned sender;  /* of the open transaction */
    unsigned subject; /* message the client is busy with */
    bool mixed;       /* a recipient of one came to the sender of another */
    char out[MODEL_OUT];
    size_t out_len;
};

static inline void model_say(struct model *model, const char *text)
{
    size_t len = strlen(text);

    if (model->out_len + len > MODEL_OUT) {
        abort();
    }
    memcpy(model->out + model->out_len, text, len);
    model->out_len += len;
}

static inline void model_clear(struct model *model)
{
    model->has_mail = false;
    model->rcpt_count = 0;
}

/* A body has come whole; only one with recipients counts. */
static inline void model_end_body(struct model *model)
{
    struct model_message *message = &model->messages[model->subject];

    message->complete = true;
    if (model->rcpt_count == 0) {
        model_say(model, "554 5.5.1 nobody\r\n");
        return; /* and the transaction stays open */
    }
    if (model->no[model->subject] == MODEL_NO_BODY) {
        model_say(model, "550 5.7.1 not this one\r\n");
    } else {
        model_say(model, "250 2.0.0 queued\r\n");
        message->taken = true;
        message->bodies++;
        message->verdict_end = model->out_len;
    }
    model_clear(model);
}

static inline void model_mail(struct model *model, unsigned number)
{
    model->subject = number;
    if (model->has_mail) {
        model_say(model, "503 5.5.1 nested MAIL\r\n");
    } else if (model->no[number] == MODEL_NO_MAIL) {
        model_say(model, "550 5.7.1 not you\r\n");
    } else {
        model->has_mail = true;
        model->sender = number;
        model_say(model, "250 2.1.0 ok\r\n");
    }
}

static inline void model_rcpt(struct model *model, unsigned number)
{
    if (!model->has_mail) {
        model_say(model, "503 5.5.1 MAIL first\r\n");
    } else if (model->no[number] == MODEL_NO_RCPT) {
        model_say(model, "550 5.1.1 nobody\r\n");
    } else {
        model->mixed |= number != model->sender;
        model->rcpt_count++;
        model_say(model, "250 2.1.5 ok\r\n");
    }
}

static inline void model_data(struct model *model)
{
    model->in_data = model->rcpt_count > 0;
    model_say(model, model->in_data ? "354 go\r\n" : "554 5.5.1 nobody\r\n");
}

static inline void model_command(struct model *model)
{
    const char *line = model->line;

    if (strncmp(line, "EHLO ", 5) == 0) {
        model_say(model, "250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    } else if (strncmp(line, "MAIL FROM:<s", 12) == 0) {
        model_mail(model, (unsigned)(line[12] - '0'));
    } else if (strncmp(line, "RCPT TO:<", 9) == 0) {
        model_rcpt(model, (unsigned)(line[9] - '0'));
    } else if (strcmp(line, "DATA") == 0) {
        model_data(model);
    } else if (strncmp(line, "BDAT ", 5) == 0) {
        model->in_chunk = true;
        model->chunk_left = strtoul(line + 5, NULL, 10);
    } else if (strcmp(line, "RSET") == 0) {
        model_clear(model);
        model_say(model, "250 2.0.0 reset\r\n");
    } else {
        model_say(model, "500 5.5.2 what?\r\n");
    }
}

static inline void model_line(struct model *model)
{
    model->line[model->line_len] = '\0';
    model->line_len = 0;
    if (!model->in_data) {
        model_command(model);
    } else if (strcmp(model->line, ".") == 0) {
        model->in_data = false;
        model_end_body(model);
    }
}

static inline void model_byte(struct model *model, char c)
{
    if (model->in_chunk) {
        model->chunk_left--;
    } else if (c == '\n') {
        model->line_len -= model->line_len > 0 ? 1 : 0; /* the CR */
        model_line(model);
    } else if (model->line_len + 1 < MODEL_LINE) {
        model->line[model->line_len++] = c;
    }
    if (model->in_chunk && model->chunk_left == 0) {
        model->in_chunk = false;
        model_end_body(model);
    }
}

static inline void model_feed(struct model *model, const char *bytes,
                              size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        model_byte(model, bytes[i]);
    }
}

static inline void model_init(struct model *model)
{
    memset(model, 0, sizeof(*model));
    model_say(model, "220 x\r\n");
}

#endif
