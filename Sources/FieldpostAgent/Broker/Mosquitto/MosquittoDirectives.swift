/// The directives of mosquitto.conf(5), as of Mosquitto 2.0 and what 2.1 adds, that are not simply honoured.
enum MosquittoDirectives {
    /// Those that ``MosquittoReader`` takes a value from.
    static let honoured: Set<String> = [
        "accept_protocol_versions", "acl_file", "allow_anonymous", "allow_zero_length_clientid", "bind_address",
        "bind_interface", "cafile", "capath", "certfile", "check_retain_source", "clientid_prefixes", "crlfile",
        "global_max_clients", "global_max_connections", "include_dir", "keyfile", "listener",
        "listener_allow_anonymous", "log_dest", "log_type", "max_connections", "max_inflight_bytes",
        "max_inflight_messages", "max_keepalive", "max_packet_size", "max_qos", "max_queued_bytes",
        "max_queued_messages", "max_topic_alias", "maximum_qos", "message_size_limit", "password_file",
        "per_listener_settings", "persistence", "persistence_file", "persistence_location",
        "persistent_client_expiration", "pid_file", "port", "protocol", "psk_file", "psk_hint", "queue_qos0_messages",
        "require_certificate", "retain_available", "retained_persistence", "socket_domain", "sys_interval",
        "tls_keyform", "tls_version", "upgrade_outgoing_qos", "use_identity_as_username", "use_subject_as_username",
        "use_username_as_clientid", "user",
    ]

    /// What is so anyway, or does not matter here.
    static let needless: [String: String] = [
        "allow_duplicate_messages": "each subscription counts for itself, as MQTT allows",
        "auth_plugin_deny_special_chars": "names with + and # never match an access rule's %c and %u",
        "auto_id_prefix": "the broker's own client identifiers are random",
        "autosave_interval": "every change is on disk before anybody relies on it",
        "autosave_on_changes": "every change is on disk before anybody relies on it",
        "connection_messages": "log_type says what is logged",
        "dhparamfile": "OpenSSL has its own parameters",
        "listener_auto_id_prefix": "the broker's own client identifiers are random",
        "log_timestamp": "every line has one",
        "log_timestamp_format": "times are written as 2026-11-21T08:15:02.117Z",
        "max_topic_alias_broker": "the client says how many it takes",
        "memory_limit": "the limits of queues and of retained messages bound the memory",
        "packet_buffer_size": "buffers grow and shrink by themselves",
        "retry_interval": "Mosquitto has dropped it too",
        "set_tcp_nodelay": "it is always on",
        "store_clean_interval": "Mosquitto has dropped it too",
        "websockets_headers_size": "buffers grow and shrink by themselves",
        "websockets_log_level": "log_type says what is logged",
    ]

    /// What is not as the file says, without letting anybody in for it.
    static let notHonoured: [String: String] = [
        "ciphers": "OpenSSL's own choice holds, or that of the system's openssl.cnf",
        "ciphers_tls1.3": "OpenSSL's own choice holds, or that of the system's openssl.cnf",
        "disable_client_cert_date_checks": "certificates that have run out are refused: renew them",
        "enable_control_api": "there are no $CONTROL topics; the console and the files do that",
        "http_dir": "no files are served; put a web server beside the broker",
        "log_facility": "logs go to standard error, which systemd's journal takes",
        "retain_expiry_interval": "publishers say how long a message holds (5.0)",
    ]

    /// Restrictions that cannot be had here. To pass over them would let in whom the file keeps out.
    static let refused: [String: String] = [
        "auth_plugin": plugin, "global_plugin": plugin, "plugin": plugin, "plugin_load": plugin, "plugin_use": plugin,
        "enable_proxy_protocol": "the PROXY protocol is not spoken; let clients connect themselves",
        "mount_point": "listeners share their topics; give the clients rules in an acl_file in its place",
        "proxy_protocol_v2_require_tls": "the PROXY protocol is not spoken; let clients connect themselves",
        "tls_engine": "keys in engines are not used by listeners; take a PEM file as keyfile",
        "tls_engine_kpass_sha1": "keys in engines are not used by listeners; take a PEM file as keyfile",
        "websockets_origin": "origins are not looked at; give a listener that browsers reach a password_file",
    ]

    private static let plugin =
        "Mosquitto's plugins cannot be loaded; password_file and acl_file say who may do what; remove the line to go on without it"

    /// What belongs to a `connection`.
    static func isOfBridge(_ name: String) -> Bool { name.hasPrefix("bridge_") || bridge.contains(name) }

    private static let bridge: Set<String> = [
        "address", "addresses", "cleansession", "clientid", "idle_timeout", "keepalive_interval",
        "local_cleansession", "local_clientid", "local_password", "local_username", "notification_topic",
        "notifications", "notifications_local_only", "password", "remote_clientid", "remote_password",
        "remote_username", "restart_timeout", "round_robin", "start_type", "threshold", "topic", "try_private",
        "username",
    ]

    static func isPluginOption(_ name: String) -> Bool { name.hasPrefix("plugin_opt_") || name.hasPrefix("auth_opt_") }

    static var all: [String] {
        honoured.sorted() + needless.keys.sorted() + notHonoured.keys.sorted() + refused.keys.sorted()
            + bridge.sorted() + ["connection"]
    }
}
