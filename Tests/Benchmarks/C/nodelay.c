// Paho C has no option to send without waiting for TCP acknowledgements (Nagle's algorithm), as the others do. Linked
// with --wrap=socket it sends at once.
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
