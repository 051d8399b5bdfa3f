/* Private: how a callable of any type becomes a C function pointer and its void *arg.
 *
 * A box holds one callable of a forgotten type. What calls it is a function template instantiated
 * for the callable's type, with exactly the signature that the C table wants: C's one indirect call
 * lands in it, and from there the callable is inlined. Small callables stand in the box itself, so
 * that nothing is chased to reach what they captured. */
#ifndef WEIR_SLOT_HPP
#define WEIR_SLOT_HPP

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace weir::detail
{

/* Holds one object of any type, or none; get<T>() must name the type that it was made with. */
class box
{
public:
  box() noexcept = default;
  template <class T>
  requires(!std::is_same_v<std::decay_t<T>, box>) explicit box(T &&object)
      : relocate_(relocate<std::decay_t<T>>)
  {
    using kept = std::decay_t<T>;
    if constexpr (is_small<kept>)
      ::new (bytes_) kept(std::forward<T>(object));
    else
      ::new (bytes_) std::unique_ptr<kept>(new kept(std::forward<T>(object)));
  }
  box(box &&other) noexcept
  {
    take(other);
  }
  box &operator=(box &&other) noexcept
  {
    if (this != &other) {
      clear();
      take(other);
    }
    return *this;
  }
  ~box()
  {
    clear();
  }

  template <class T> T &get() noexcept
  {
    if constexpr (is_small<T>)
      return *at<T>(bytes_);
    else
      return **at<std::unique_ptr<T>>(bytes_);
  }

private:
  static constexpr std::size_t small_bytes = 32;
  template <class T>
  static constexpr bool
      is_small = sizeof(T) <= small_bytes &&
                 alignof(T) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<T>;

  template <class T> static T *at(std::byte *bytes) noexcept
  {
    return std::launder(reinterpret_cast<T *>(bytes));
  }

  /* Moves what is in the bytes to others, or nowhere: either way it is gone from where it was. */
  template <class T> static void relocate(std::byte *from, std::byte *to) noexcept
  {
    using stored = std::conditional_t<is_small<T>, T, std::unique_ptr<T>>;
    if (to != nullptr)
      ::new (to) stored(std::move(*at<stored>(from)));
    std::destroy_at(at<stored>(from));
  }

  void take(box &other) noexcept
  {
    relocate_ = std::exchange(other.relocate_, nullptr);
    if (relocate_ != nullptr)
      relocate_(other.bytes_, bytes_);
  }
  void clear() noexcept
  {
    if (relocate_ != nullptr)
      std::exchange(relocate_, nullptr)(bytes_, nullptr);
  }

  alignas(std::max_align_t) std::byte bytes_[small_bytes];
  void (*relocate_)(std::byte *from, std::byte *to) noexcept = nullptr;
};

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
      : entry_(Event::template call<F>), callable_(std::move(callable))
  {
  }

  /* The function for the C table; NULL for an empty slot. */
  typename Event::entry *entry() const noexcept
  {
    return entry_;
  }

  /* Gives the callable away; the slot is done with. */
  box take() noexcept
  {
    return std::move(callable_);
  }

private:
  typename Event::entry *entry_ = nullptr;
  box callable_;
};

} // namespace weir::detail

#endif
