/* Unix sockets of the abstract kind for a server and its clients, which have numbers as TCP has
 * ports: by them one end knows the other. */
#ifndef WEIR_CATALOGUE_LOCAL_HPP
#define WEIR_CATALOGUE_LOCAL_HPP

#include <cstdint>
#include <string>

namespace catalogue
{

/* A number that this process has not used yet, and the name that goes with it, as weir takes it. */
uint16_t next_local();
std::string local_name(uint16_t number);

/* Names a client's socket and connects it. */
void connect_local(int fd, uint16_t own, uint16_t server);

/* The number of a socket's peer; 0 when it is no such socket. */
uint16_t local_peer(int fd);

} // namespace catalogue

#endif
