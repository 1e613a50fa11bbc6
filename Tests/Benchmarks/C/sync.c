// Paho C's files are written and left to the operating system: a power cut takes the last half minute of them. Linked
// with --wrap=fclose each of them is synchronized before it counts, which is what the Outbox promises. (Their folder is
// not, so even this promises a little less.)
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int __real_fclose(FILE *file);

int __wrap_fclose(FILE *file)
{
    int descriptor = fileno(file);
    if ((fcntl(descriptor, F_GETFL) & O_ACCMODE) != O_RDONLY) {
        fflush(file);
        fsync(descriptor);
    }
    return __real_fclose(file);
}
