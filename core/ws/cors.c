/* The CORS protocol of the Fetch Standard: what a response says to pages of other origins. */
#include "ws/request.h"

#include "wire/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_listed(const char *const *origins, struct weir_slice origin)
{
  for (size_t i = 0; origins[i] != NULL; i++) {
    if (weir__text_equal(origin, origins[i]))
      return true;
  }
  return false;
}

static int add_slice(struct weir_request *r, const char *name, struct weir_slice value)
{
  char text[1024];
  if (value.len >= sizeof text)
    return -ENOBUFS;
  memcpy(text, value.data, value.len);
  text[value.len] = '\0';
  return weir_request_respond_header(r, name, text);
}

/* Who may read the response: that depends on who asks, unless everybody may. */
static int add_origin(struct weir_request *r, const struct weir_cors *cors,
                      struct weir_slice origin)
{
  static const char name[] = "Access-Control-Allow-Origin";
  if (cors->origins == NULL)
    return weir_request_respond_header(r, name, "*");
  int error = weir_request_respond_header(r, "Vary", "Origin");
  if (error == 0 && origin.data != NULL && is_listed(cors->origins, origin)) {
    error = add_slice(r, name, origin);
    if (error == 0 && cors->credentials)
      error = weir_request_respond_header(r, "Access-Control-Allow-Credentials", "true");
  }
  return error;
}

static int add_preflight(struct weir_request *r, const struct weir_cors *cors)
{
  const char *methods = cors->methods;
  struct weir_slice asked = weir_request_header(r, "Access-Control-Request-Headers");
  if (methods == NULL)
    methods = "GET, HEAD, PUT, PATCH, POST, DELETE";
  int error = weir_request_respond_header(r, "Access-Control-Allow-Methods", methods);
  if (error == 0 && cors->headers != NULL)
    error = weir_request_respond_header(r, "Access-Control-Allow-Headers", cors->headers);
  else if (error == 0 && asked.len > 0 &&
           (error = add_slice(r, "Access-Control-Allow-Headers", asked)) == 0)
    error = weir_request_respond_header(r, "Vary", "Access-Control-Request-Headers");
  if (error == 0 && cors->max_age_s > 0) {
    char age[24];
    snprintf(age, sizeof age, "%zu", cors->max_age_s);
    error = weir_request_respond_header(r, "Access-Control-Max-Age", age);
  }
  return error;
}

static bool is_preflight(struct weir_request *r)
{
  return weir__text_equal(weir_request_method(r), "OPTIONS") &&
         weir_request_header(r, "Access-Control-Request-Method").data != NULL;
}

int weir_request_cors(struct weir_request *r, const struct weir_cors *in)
{
  struct weir_cors cors = {.size = sizeof cors};
  if (in == NULL || in->size < sizeof(size_t) || in->size > sizeof cors)
    return -500;
  memcpy(&cors, in, in->size);
  if (cors.credentials > 1 || (cors.credentials && cors.origins == NULL))
    return -500;
  int error = add_origin(r, &cors, weir_request_header(r, "Origin"));
  if (error == 0 && is_preflight(r)) {
    error = add_preflight(r, &cors);
    return error == 0 ? 204 : error;
  }
  if (error == 0 && cors.exposed != NULL)
    error = weir_request_respond_header(r, "Access-Control-Expose-Headers", cors.exposed);
  return error == -EINVAL ? -500 : error;
}
