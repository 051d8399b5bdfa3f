/* The ends of a connection, good and bad. */
#include "deflated.h"
#include "tls.h"
#include "worker.h"

#include "wire/close.h"

#include <errno.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void client_close(struct client *client)
{
  unsigned char payload[2 + WEIR__CLOSE_REASON_MAX];
  client->state = CLIENT_CLOSING;
  client->since_ns = clock_ns();
  weir__list_remove(&client->link);
  weir__list_push_back(&client->worker->closing, &client->link);
  client_control(client, WEIR__CLOSE, payload,
                 weir__close_encode(payload, WEIR__CLOSE_NORMAL, NULL, 0));
  weir__loop_again(client->worker->loop, &client->stream.source);
}

void client_free(struct client *client)
{
  tls_end(client);
  deflated_close(client);
  free(client->head);
  client->head = NULL;
  client->head_len = 0;
}

void client_end(struct client *client, bool clean)
{
  struct worker *worker = client->worker;
  bool was_open = client->state == CLIENT_OPEN || client->state == CLIENT_CLOSING;
  weir__loop_close(worker->loop, &client->stream.source);
  weir__loop_forget(worker->loop, &client->stream.source);
  weir__list_remove(&client->link);
  client_free(client);
  client->state = CLIENT_NONE;
  if (was_open)
    worker->open--;
  else
    worker->connecting--;
  if (!client->counted)
    worker->finished++;
  client->counted = true;
  if (client->role->again)
    weir__list_push_back(clean ? &worker->spare : &worker->broken, &client->link);
  if (client->role->ended)
    client->role->ended(client, clean);
  worker_make(worker);
}

void client_fail(struct client *client, const char *format, ...)
{
  char text[sizeof((struct reason *)NULL)->text];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (client->worker->leaving) {
    client_end(client, false);
    return;
  }
  if (client->excused) {
    client->worker->counts.dropped++;
  } else {
    client->worker->counts.failed++;
    load_note(client->worker->load, "%s", text);
  }
  client_end(client, false);
}

void client_hung_up(struct client *client, int error)
{
  static const char *const during[] = {
      [CLIENT_CONNECTING] = "while connecting",
      [CLIENT_SECURING] = "during the TLS handshake",
      [CLIENT_UPGRADING] = "before it answered the "
                           "upgrade",
      [CLIENT_SETTLING] = "before the first pong",
      [CLIENT_OPEN] = "without a Close frame",
      [CLIENT_CLOSING] = "without answering Close",
  };
  if (client->state == CLIENT_CLOSING && client->close_came)
    client_end(client, true);
  else if (error == 0)
    client_fail(client, "the server hung up %s", during[client->state]);
  else if (client->tls != NULL && client->tls->failure != NULL)
    client_fail(client, "TLS failed %s: %s", during[client->state], client->tls->failure);
  else
    client_fail(client, "the connection broke %s: %s", during[client->state], strerror(-error));
}

void client_resume(struct client *client)
{
  client->stalled = false;
  if (client->state != CLIENT_NONE)
    weir__loop_again(client->worker->loop, &client->stream.source);
}
