/* Private: how a callable of any type becomes a C function pointer and its void *arg.
 *
 * A closure owns one callable on the heap. What calls it is a function template instantiated for
 * the callable's type, with exactly the signature that the C table wants: C's one indirect call
 * lands in it, and from there the callable is inlined. */
#ifndef WEIR_SLOT_HPP
#define WEIR_SLOT_HPP

#include <memory>
#include <type_traits>
#include <utility>

namespace weir::detail
{

/* Deletes what a closure owns, whose type only it remembers. */
struct closure_release {
  void (*destroy)(void *) = nullptr;
  void operator()(void *object) const
  {
    destroy(object);
  }
};

/* Owns one object of a forgotten type. */
using closure = std::unique_ptr<void, closure_release>;

template <class T> closure make_closure(T &&object)
{
  using stored = std::decay_t<T>;
  return {new stored(std::forward<T>(object)),
          {[](void *owned) { delete static_cast<stored *>(owned); }}};
}

/* A handler slot, empty or holding a callable that the event accepts. An event names its C
 * signature and gives, for a callable's type, the function that C is to call:
 *
 *   using entry = void(weir_conn *, void *arg);
 *   template <class F> static constexpr bool accepts;
 *   template <class F> static void call(weir_conn *, void *arg) noexcept; */
template <class Event> class slot
{
public:
  slot() noexcept = default;

  template <class F>
  requires(!std::is_same_v<F, slot> && Event::template accepts<F>) slot(F callable)
      : entry_(Event::template call<F>), closure_(make_closure(std::move(callable)))
  {
  }

  /* The function for the C table; NULL for an empty slot. */
  typename Event::entry *entry() const noexcept
  {
    return entry_;
  }

  /* Gives the callable away; the slot is done with. */
  closure take() noexcept
  {
    return std::move(closure_);
  }

private:
  typename Event::entry *entry_ = nullptr;
  closure closure_;
};

} // namespace weir::detail

#endif
