// All randomness of a simulation: a small generator whose whole state is the seed, so that a seed
// names a run for ever, on every machine and with every standard library.
#ifndef WEIR_SIM_DICE_HPP
#define WEIR_SIM_DICE_HPP

#include <cstdint>

namespace sim
{

class dice
{
public:
  explicit dice(uint64_t seed) : state_(seed) {}

  // SplitMix64.
  uint64_t next()
  {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  // 0 .. n - 1; n is over 0.
  uint64_t below(uint64_t n)
  {
    return next() % n;
  }

  uint64_t between(uint64_t low, uint64_t high)
  {
    return low + below(high - low + 1);
  }

  bool chance(unsigned per_mille)
  {
    return per_mille != 0 && below(1000) < per_mille;
  }

private:
  uint64_t state_;
};

} // namespace sim

#endif
