// Paho C cannot be told to send without waiting for TCP acknowledgements (Nagle's algorithm): linked with
// --wrap=socket it does, and shows what its own code is capable of.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int __real_socket(int domain, int type, int protocol);

int __wrap_socket(int domain, int type, int protocol)
{
    int descriptor = __real_socket(domain, type, protocol);
    int one = 1;
    if (descriptor >= 0) setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return descriptor;
}
