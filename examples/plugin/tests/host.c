/* A host in C: a loop around poll(2), in which it is a server itself, and asks that server by way of the plugin. */
#include "homing_plugin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 8

static homing_plugin *plugin;
static char address[64];
static int answers, turns;

static void check(int is_true, const char *what) {
    if (!is_true) {
        perror(what);
        exit(1);
    }
}

static void note(void *context, int status, const char *text, size_t length) {
    static const char *names[] = {"answer", "failed", "timed out", "cancelled"};
    answers++;
    printf("%s: %s", (const char *)context, names[status]);
    if (status == PLUGIN_OK)
        printf(" '%.*s'", (int)length, text);
    printf("\n");
}

/* Each answer leads to the next question, so that the order of what is printed is certain. */
static void third(void *context, int status, const char *text, size_t length) {
    note(context, status, text, length);
    check(plugin_ask(plugin, address, "silence", 30, note, "fourth") > 0, "a question that nobody answers");
}

/* And to some calls that must be refused. */
static void second(void *context, int status, const char *text, size_t length) {
    note(context, status, text, length);
    check(plugin_turn(plugin, 1000) == PLUGIN_BUSY, "a turn within a turn");
    check(plugin_destroy(plugin) == PLUGIN_BUSY, "the end within a turn");
    check(plugin_ask(plugin, address, "from a callback", 5000, third, "third") > 0, "a question from a callback");
}

static int listen_somewhere(void) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    check(listener >= 0 && bind(listener, (struct sockaddr *)&name, length) == 0 && listen(listener, 8) == 0, "listen");
    check(getsockname(listener, (struct sockaddr *)&name, &length) == 0, "getsockname");
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(name.sin_port));
    return listener;
}

/* The host's own work: answers each question but "silence". Says whether the client is still there. */
static int serve(int client) {
    char question[256], answer[300];
    ssize_t length = read(client, question, sizeof question - 1);
    if (length <= 0)
        return 0;
    question[length] = 0;
    if (strcmp(question, "silence\n") != 0) {
        int size = snprintf(answer, sizeof answer, "you said %s", question);
        check(write(client, answer, size) == size, "write");
    }
    return 1;
}

int main(void) {
    struct pollfd waits[2 + CLIENTS];
    int clients = 0, wait;
    int64_t unwanted;

    check((plugin = plugin_create()) != NULL, "plugin_create");
    waits[0] = (struct pollfd){.fd = plugin_fd(plugin), .events = POLLIN};
    waits[1] = (struct pollfd){.fd = listen_somewhere(), .events = POLLIN};

    check(plugin_ask(plugin, address, NULL, 5000, note, "") == PLUGIN_BAD_ARGUMENT, "no question");
    check(plugin_ask(plugin, "nowhere", "hello", 5000, note, "") == PLUGIN_BAD_ARGUMENT, "no address");
    check(plugin_cancel(plugin, 12345) == PLUGIN_NO_SUCH_REQUEST, "no such request");
    check(plugin_turn(NULL, 1000) == PLUGIN_BAD_ARGUMENT, "no plugin");

    unwanted = plugin_ask(plugin, address, "never mind", 5000, note, "first");
    check(plugin_cancel(plugin, unwanted) == 0, "plugin_cancel");
    check(plugin_ask(plugin, address, "hello", 5000, second, "second") > 0, "plugin_ask");

    for (;;) {
        check((wait = plugin_turn(plugin, 1000)) >= -1, "plugin_turn");
        turns++;
        if (answers == 4)
            break;
        check(poll(waits, 2 + clients, wait) >= 0, "poll");
        if (waits[1].revents && clients < CLIENTS) {
            int client = accept(waits[1].fd, NULL, NULL);
            check(client >= 0, "accept");
            waits[2 + clients++] = (struct pollfd){.fd = client, .events = POLLIN};
        }
        for (int i = 0; i < clients; i++) {
            if (waits[2 + i].revents && !serve(waits[2 + i].fd)) {
                close(waits[2 + i].fd);
                waits[2 + i--] = waits[2 + --clients];
            }
        }
    }

    check(plugin_ask(plugin, address, "silence", 60000, note, "fifth") > 0, "plugin_ask");
    check(plugin_turn(plugin, 1000) >= -1, "plugin_turn");
    check(plugin_ask(plugin, address, "silence", 60000, note, "sixth") > 0, "plugin_ask");
    check(plugin_destroy(plugin) == 0, "plugin_destroy");
    printf("%d answers\n", answers);
    fprintf(stderr, "%d turns\n", turns);
    return 0;
}
