// swift-tools-version: 6.2
import PackageDescription

// A package of its own: libFuzzer brings the main function, so that it links only with -sanitize=fuzzer, as run.sh
// builds it.
let package = Package(
    name: "fuzz",
    dependencies: [
        .package(name: "fieldpost", path: "../.."),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
    ],
    targets: [
        .executableTarget(
            name: "BrokerFuzz",
            dependencies: [
                .product(name: "MQTTServer", package: "fieldpost"), .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Sources",
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ])
    ]
)
