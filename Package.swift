// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")

// A target imports only targets that stand above it in this list.
let package = Package(
    name: "fieldpost",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "fieldpost", targets: ["fieldpost"]),
        .library(name: "MQTT", targets: ["MQTT", "MQTTWire"]),
        .library(name: "MQTTServer", targets: ["MQTTServer", "MQTTWire"]),
        .library(name: "OpenSSLTransport", targets: ["OpenSSLTransport"]),
        .library(name: "WebSocketTransport", targets: ["WebSocketTransport"]),
        .library(name: "StoreForward", targets: ["StoreForward"]),
        .library(name: "Sensing", targets: ["Sensing", "Settings", "Units"]),
        .library(name: "FieldpostCommands", targets: ["FieldpostCommands", "Sensing", "Settings", "Units"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        // Without its Foundation trait, which would link ICU.
        .package(url: "https://github.com/swiftlang/swift-subprocess.git", from: "1.0.2", traits: []),
    ],
    targets: [
        // The C libraries that a board carries.
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(name: "CTOML"),
        // The kernel's headers.
        .target(name: "CLinux"),

        // Values that everything else is told in.
        .target(name: "Units", swiftSettings: settings),
        .target(name: "Settings", dependencies: ["Units"], swiftSettings: settings),

        // The command line.
        .target(name: "Arguments", dependencies: ["Units"], swiftSettings: settings),

        // The way of a message, from the wire upwards.
        .target(name: "SQLite", dependencies: ["CSQLite"], swiftSettings: settings),
        .target(name: "MQTTWire", dependencies: [nioCore], swiftSettings: settings),
        // What the queue's database and the broker's have in common.
        .target(
            name: "Database", dependencies: ["SQLite", "MQTTWire", "Units", nioCore], swiftSettings: settings),
        .target(name: "OpenSSLTransport", dependencies: ["COpenSSL", nioCore], swiftSettings: settings),
        .target(name: "WebSocketTransport", dependencies: ["COpenSSL", nioCore], swiftSettings: settings),
        .target(
            name: "MQTT",
            dependencies: [
                "MQTTWire", "OpenSSLTransport", "WebSocketTransport", "Units", nioCore, nioPosix, logging, deque,
            ],
            swiftSettings: settings),
        .target(
            name: "StoreForward",
            dependencies: ["MQTT", "MQTTWire", "Database", "SQLite", "Units", nioCore, logging],
            swiftSettings: settings),

        // The embedded broker.
        .target(
            name: "MQTTServer",
            dependencies: [
                "COpenSSL", "MQTTWire", "OpenSSLTransport", "WebSocketTransport", "Database", "SQLite", "Settings",
                "Units", nioCore,
                nioPosix, logging, deque,
            ],
            swiftSettings: settings),

        // The way of a reading, from the kernel downwards.
        .target(
            name: "Sensing", dependencies: ["CLinux", "Settings", "Units"], swiftSettings: settings),
        .target(name: "Pipeline", dependencies: ["Sensing", "Settings", "Units"], swiftSettings: settings),
        .target(
            name: "Uplink",
            dependencies: [
                "COpenSSL", "Pipeline", "Sensing", "Settings", "MQTT", "MQTTWire", "Units", nioCore, logging,
            ],
            swiftSettings: settings),
        // Who goes where: alarms and the people who see to them. (A module of the system is called Dispatch.)
        .target(
            name: "Dispatching",
            dependencies: ["Pipeline", "Settings", "Units", "Database", "SQLite"],
            swiftSettings: settings),

        // Both together.
        .target(name: "Relay", dependencies: [nioCore, nioPosix], swiftSettings: settings),
        .target(
            name: "FieldpostAgent",
            dependencies: [
                "CTOML", "CLinux", "Settings", "Units", "Sensing", "Pipeline", "Uplink", "Dispatching", "MQTT",
                "MQTTWire", "MQTTServer", "StoreForward", "Database", "SQLite", "OpenSSLTransport", "Relay",
                nioCore, nioPosix, logging, deque, unixSignals, subprocess,
            ],
            swiftSettings: settings),
        .target(
            name: "FieldpostCommands",
            dependencies: ["Arguments", "FieldpostAgent", "Sensing", "Settings", logging], swiftSettings: settings),
        .executableTarget(name: "fieldpost", dependencies: ["FieldpostCommands"], swiftSettings: settings),

        // Tests: a folder per target, and what runs the whole against real brokers.
        .target(
            name: "TestSupport", dependencies: ["Relay", nioCore, nioPosix, subprocess], path: "Tests/TestSupport",
            swiftSettings: settings),
        .testTarget(name: "UnitsTests", dependencies: ["Units", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "ArgumentsTests", dependencies: ["Arguments", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "SettingsTests", dependencies: ["Settings", "Units"], swiftSettings: settings),
        .testTarget(
            name: "RelayTests", dependencies: ["Relay", "TestSupport", nioCore, nioPosix], swiftSettings: settings),
        .testTarget(name: "SQLiteTests", dependencies: ["SQLite", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "MQTTWireTests", dependencies: ["MQTTWire", "TestSupport", nioCore], swiftSettings: settings),
        .testTarget(
            name: "OpenSSLTransportTests",
            dependencies: ["OpenSSLTransport", "COpenSSL", "TestSupport", nioCore, nioEmbedded, nioPosix],
            swiftSettings: settings),
        .testTarget(
            name: "WebSocketTransportTests",
            dependencies: ["WebSocketTransport", "TestSupport", nioCore, nioEmbedded, nioPosix],
            swiftSettings: settings),
        .testTarget(
            name: "MQTTTests",
            dependencies: [
                "MQTT", "MQTTWire", "OpenSSLTransport", "TestSupport", "Relay", nioCore, nioEmbedded, nioPosix,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MQTTServerTests",
            dependencies: [
                "MQTTServer", "MQTT", "MQTTWire", "OpenSSLTransport", "SQLite", "TestSupport", "Relay", nioCore,
                nioEmbedded,
                nioPosix, logging,
            ],
            swiftSettings: settings),
        // What the specifications demand of a server, statement by statement, over real sockets.
        .testTarget(
            name: "ConformanceTests",
            dependencies: ["MQTTServer", "MQTTWire", "TestSupport", nioCore, nioPosix], swiftSettings: settings),
        // Attacks on a broker that runs as a process of its own.
        .testTarget(
            name: "HostileTests",
            dependencies: ["MQTTWire", "TestSupport", nioCore, nioPosix, "fieldpost"],
            swiftSettings: settings),
        .testTarget(
            name: "StoreForwardTests",
            dependencies: ["StoreForward", "Database", "MQTT", "MQTTWire", "SQLite", "Units", "TestSupport", nioCore],
            swiftSettings: settings),
        .testTarget(
            name: "SensingTests", dependencies: ["Sensing", "Settings", "Units", "TestSupport"],
            exclude: ["Python"], swiftSettings: settings),
        .testTarget(
            name: "PipelineTests", dependencies: ["Pipeline", "Sensing", "Settings", "Units", "TestSupport"],
            swiftSettings: settings),
        // The platform's side of OneNET's protocol, on the embedded broker.
        .target(
            name: "OneNETModel", dependencies: ["MQTTServer", "MQTTWire", "COpenSSL", "Units", nioCore, nioPosix],
            path: "Tests/OneNETModel", swiftSettings: settings),
        .testTarget(
            name: "UplinkTests",
            dependencies: [
                "Uplink", "Pipeline", "Sensing", "Settings", "MQTT", "MQTTWire", "Units", "TestSupport", "OneNETModel",
                "StoreForward", "Relay", nioCore, nioPosix,
            ],
            exclude: ["Python"], swiftSettings: settings),
        .testTarget(
            name: "DispatchingTests",
            dependencies: ["Dispatching", "Pipeline", "Sensing", "Settings", "SQLite", "Units", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "FieldpostAgentTests",
            dependencies: [
                "FieldpostAgent", "Uplink", "Pipeline", "Settings", "Sensing", "StoreForward", "MQTT", "MQTTServer",
                "MQTTWire", "OpenSSLTransport", "SQLite", "Units", "TestSupport", "Relay", nioCore, logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "BrokerTests",
            dependencies: ["MQTT", "MQTTWire", "TestSupport", "Relay", nioCore, nioPosix], swiftSettings: settings),
        // Other people's clients against the embedded broker.
        .testTarget(
            name: "InteropTests",
            dependencies: [
                "MQTTServer", "MQTT", "MQTTWire", "OpenSSLTransport", "TestSupport", subprocess, nioCore, nioPosix,
                "fieldpost",
            ],
            exclude: ["Clients"], swiftSettings: settings),
        .testTarget(
            name: "EndToEnd",
            dependencies: [
                "TestSupport", "Relay", "MQTT", "MQTTWire", "OneNETModel", "Units", subprocess, nioCore, nioPosix,
                "fieldpost", "well-agent",
            ],
            exclude: ["Python"], swiftSettings: settings),
        // A program of somebody else's, with a driver of his own.
        .executableTarget(
            name: "well-agent", dependencies: ["FieldpostCommands", "Sensing", "Settings", "Units"],
            path: "Tests/Examples/WellAgent", swiftSettings: settings),
        // Run by Tests/Benchmarks/run.sh only.
        .executableTarget(
            name: "Benchmarks",
            dependencies: ["MQTT", "MQTTWire", "StoreForward", "TestSupport", nioCore, nioPosix],
            path: "Tests/Benchmarks", exclude: ["C", "run.sh", "sensors.sh"], swiftSettings: settings),
    ],
    cxxLanguageStandard: .cxx17
)
