import TestSupport
import Testing

/// Files such as owners have them.
enum MosquittoExamples {
    struct Example: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var honoured: Int
        /// In the order of the file.
        var notHonoured: [String] = []
        var announcement: [String]
        var text: @Sendable (TemporaryDirectory, Authority.Leaf) async throws -> String
    }

    static let all: [Example] = [
        Example(
            testDescription: "Debian's own", honoured: 6,
            announcement: [
                "mqtt://127.0.0.1:1883: for everybody on this machine; others cannot reach it"
            ]
        ) { folder, _ in
            try folder.makeDirectory("conf.d")
            return """
                # Place your local configuration in /etc/mosquitto/conf.d/
                #
                # A full description of the configuration file is at
                # /usr/share/doc/mosquitto/examples/mosquitto.conf.example

                pid_file \(folder.path)/mosquitto.pid
                user root

                persistence true
                persistence_location \(folder.path)/

                log_dest file \(folder.path)/mosquitto.log

                include_dir \(folder.path("conf.d"))
                """
        },
        Example(
            testDescription: "a home's, with passwords and WebSocket", honoured: 13, notHonoured: ["log_dest"],
            announcement: [
                "mqtt://127.0.0.1:21883: for everybody on this machine with a password; others cannot reach it",
                "ws://127.0.0.1:21884: for everybody on this machine with a password; others cannot reach it",
            ]
        ) { folder, _ in
            let passwords = try folder.write("", to: "passwd")
            let rules = try folder.write("user home\ntopic readwrite #\npattern write tele/%u/#\n", to: "acl")
            return """
                user root
                persistence true
                persistence_location \(folder.path)
                autosave_interval 300

                log_dest stdout
                log_dest stderr
                log_type error
                log_type warning
                connection_messages true

                allow_anonymous false
                password_file \(passwords)
                acl_file \(rules)

                listener 21883 127.0.0.1
                listener 21884 127.0.0.1
                protocol websockets
                max_queued_messages 5000
                """
        },
        Example(
            testDescription: "a gateway's: TLS outside, the clear inside, a bridge", honoured: 20,
            notHonoured: ["ciphers", "connection", "max_inflight_bytes"],
            announcement: [
                "mqtt://127.0.0.1:21885: for everybody on this machine; others cannot reach it",
                "mqtts://127.0.0.1:28883: for everybody on this machine with a certificate; others cannot reach it",
                "unix:FOLDER/mosquitto.sock: for nobody: anonymous clients are refused, and no password is known; others cannot reach it",
            ]
        ) { folder, leaf in
            let authority = try await Authority.get()
            return """
                per_listener_settings true
                user root
                pid_file \(folder.path)/pid
                max_inflight_messages 40
                max_packet_size 1048576
                retain_available true
                persistent_client_expiration 2w
                sys_interval 30

                listener 21885 127.0.0.1
                allow_anonymous true
                max_connections 50

                listener 28883 127.0.0.1
                cafile \(authority.root)
                certfile \(leaf.chain)
                keyfile \(leaf.key)
                require_certificate true
                use_identity_as_username true
                tls_version tlsv1.2
                ciphers ECDHE+AESGCM

                connection upstream
                address broker.example:8883
                topic site/# out 1 "" gateway-7/
                topic command/# in 1
                bridge_cafile /etc/ssl/certs/ca-certificates.crt
                remote_username gateway-7
                remote_password secret
                cleansession false
                start_type automatic
                notifications true
                try_private false

                listener 0 \(folder.path)/mosquitto.sock
                allow_anonymous false
                max_inflight_bytes 1000
                set_tcp_nodelay true
                """
        },
        Example(
            testDescription: "an old one", honoured: 7,
            announcement: ["mqtt://127.0.0.1:21886: for everybody on this machine; others cannot reach it"]
        ) { _, _ in
            """
            port 21886\r
            bind_address 127.0.0.1\r
            max_connections -1\r
            user root\r
            retry_interval 20\r
            allow_anonymous true\r
            \r
            #log_type debug\r
            queue_qos0_messages false\r
            allow_duplicate_messages false\r
            max_keepalive 3600\r

            """
        },
    ]
}
