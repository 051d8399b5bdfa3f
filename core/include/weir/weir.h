/* weir: a WebSocket server for Linux. This header includes the whole C API. */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include <weir/attributes.h>
#include <weir/conn.h>
#include <weir/error.h>
#include <weir/frame.h>
#include <weir/http.h>
#include <weir/loop.h>
#include <weir/metrics.h>
#include <weir/options.h>
#include <weir/request.h>
#include <weir/server.h>
#include <weir/tls.h>
#include <weir/version.h>

#endif
