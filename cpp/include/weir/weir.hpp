/* weir: a WebSocket server for Linux. This header includes the whole C++ layer. */
#ifndef WEIR_WEIR_HPP
#define WEIR_WEIR_HPP

#include <weir/conn.hpp>
#include <weir/cors.hpp>
#include <weir/error.hpp>
#include <weir/frame.hpp>
#include <weir/http.hpp>
#include <weir/listen.hpp>
#include <weir/loop.hpp>
#include <weir/message.hpp>
#include <weir/options.hpp>
#include <weir/request.hpp>
#include <weir/route.hpp>
#include <weir/server.hpp>
#include <weir/tls.hpp>
#include <weir/view.hpp>

#endif
