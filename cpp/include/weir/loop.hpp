/* The event loop, posts and timers (<weir/loop.h>). */
#ifndef WEIR_LOOP_HPP
#define WEIR_LOOP_HPP

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <concepts>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <weir/error.hpp>
#include <weir/loop.h>

namespace weir
{

/* A view of a loop that somebody else owns: conn::loop() gives the one of a connection. 8 bytes,
 * passed by value; good for as long as the loop lives. */
class loop_ref
{
public:
  explicit loop_ref(weir_loop *native) noexcept : native_(native) {}

  /* Has the callable, moved or copied into the one allocation of this call, called once on the
   * loop's thread, and destroyed there. Any thread. Returns as weir_loop_post does: on an error it
   * is never called. An exception that leaves it is dropped; it is nobody's. */
  template <std::invocable F> std::error_code post(F &&callable)
  {
    using closure = std::decay_t<F>;
    auto *posted = new (std::nothrow) closure(std::forward<F>(callable));
    if (posted == nullptr)
      return to_error_code(-ENOMEM);
    int returned = weir_loop_post(native_, call_once<closure>, posted);
    if (returned < 0)
      delete posted;
    return to_error_code(returned);
  }

  /* The loop's clock, monotonic, read once a turn. Loop thread. */
  std::chrono::milliseconds now() const noexcept
  {
    return std::chrono::milliseconds(weir_loop_now_ms(native_));
  }

  /* The C loop. */
  weir_loop *native() const noexcept
  {
    return native_;
  }

private:
  template <class Closure> static void call_once(void *arg) noexcept
  {
    std::unique_ptr<Closure> posted(static_cast<Closure *>(arg));
    try {
      (*posted)();
    } catch (...) {
    }
  }

  weir_loop *native_;
};

/* A loop of one's own, to attach a server to. Move-only; freed by the destructor, which runs the
 * posts that are left: after its timers, and after the server attached to it, are gone. */
class loop
{
public:
  /* Throws std::system_error as weir_loop_new fails. */
  loop()
  {
    weir_loop *made = nullptr;
    detail::check(weir_loop_new(&made), "weir::loop");
    native_.reset(made);
  }

  /* Runs one turn, after a wait of timeout at most (negative: for ever, zero: none). Returns the
   * number of events, timers and posts handled. Throws std::system_error as weir_loop_step fails,
   * or sets error and returns 0. Loop thread. */
  int step(std::chrono::milliseconds timeout)
  {
    std::error_code error;
    int handled = step(timeout, error);
    if (error)
      throw std::system_error(error, "weir::loop::step");
    return handled;
  }
  int step(std::chrono::milliseconds timeout, std::error_code &error) noexcept
  {
    constexpr std::chrono::milliseconds longest(1 << 30);
    std::chrono::milliseconds wait = std::clamp(timeout, std::chrono::milliseconds(-1), longest);
    int returned = weir_loop_step(native_.get(), static_cast<int>(wait.count()));
    error = to_error_code(returned);
    return std::max(returned, 0);
  }

  /* A descriptor to poll in a foreign loop: readable whenever a step would find something to do;
   * the loop keeps it. Throws std::system_error as weir_loop_fd fails. Loop thread. */
  int fd()
  {
    int descriptor = weir_loop_fd(native_.get());
    detail::check(descriptor, "weir::loop::fd");
    return descriptor;
  }

  /* loop_ref's post() and now(). */
  template <std::invocable F> std::error_code post(F &&callable)
  {
    return loop_ref(*this).post(std::forward<F>(callable));
  }
  std::chrono::milliseconds now() const noexcept
  {
    return std::chrono::milliseconds(weir_loop_now_ms(native_.get()));
  }

  /* A view of this loop. */
  operator loop_ref() noexcept
  {
    return loop_ref(native_.get());
  }

  /* The C loop, still owned here. */
  weir_loop *native() const noexcept
  {
    return native_.get();
  }

private:
  struct release {
    void operator()(weir_loop *native) const noexcept
    {
      weir_loop_free(native);
    }
  };

  std::unique_ptr<weir_loop, release> native_;
};

/* A timer on a loop, exact to a millisecond. Move-only; the destructor stops it, and may run inside
 * the timer's own callable. It must go before its loop does: on a server's loop, before run()
 * returns, as it does inside a connection's User. Loop thread. */
class timer
{
public:
  /* Makes a timer that calls the callable, which is moved or copied once; stopped at first. Throws
   * std::system_error as weir_timer_new fails. An exception that leaves the callable is dropped. */
  template <std::invocable F>
  timer(loop_ref on, F &&callable) : state_(new closure<std::decay_t<F>>(std::forward<F>(callable)))
  {
    int returned =
        weir_timer_new(&state_->native, on.native(), fire<std::decay_t<F>>, state_.get());
    detail::check(returned, "weir::timer");
  }

  /* Starts or restarts it: first after the time given, never earlier, then every so often; zero:
   * once. Returns itself. */
  timer &start(std::chrono::milliseconds after,
               std::chrono::milliseconds every = std::chrono::milliseconds::zero()) noexcept
  {
    weir_timer_start(state_->native, count(after), count(every));
    return *this;
  }

  /* Stops it; it does not fire again until started. */
  void stop() noexcept
  {
    weir_timer_stop(state_->native);
  }

  /* The C timer, still owned here. */
  weir_timer *native() const noexcept
  {
    return state_->native;
  }

private:
  struct state {
    weir_timer *native = nullptr;
    bool firing = false;
    bool released = false;

    virtual ~state() = default;
  };

  template <class F> struct closure final : state {
    template <class Given> explicit closure(Given &&given) : callable(std::forward<Given>(given)) {}
    F callable;
  };

  /* A timer that is destroyed by its own callable leaves the callable alive until it returns. */
  struct release {
    void operator()(state *released) const noexcept
    {
      weir_timer_free(released->native);
      if (released->firing)
        released->released = true;
      else
        delete released;
    }
  };

  template <class F> static void fire(weir_timer *, void *arg) noexcept
  {
    auto *firing = static_cast<closure<F> *>(static_cast<state *>(arg));
    firing->firing = true;
    try {
      firing->callable();
    } catch (...) {
    }
    firing->firing = false;
    if (firing->released)
      delete firing;
  }

  static std::uint64_t count(std::chrono::milliseconds time) noexcept
  {
    return static_cast<std::uint64_t>(std::max(time, std::chrono::milliseconds::zero()).count());
  }

  std::unique_ptr<state, release> state_;
};

} // namespace weir

#endif
