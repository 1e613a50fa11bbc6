internal import Units

/// The envelope of OneJSON, in both directions.
enum OneNETRequest {
    static func json(id: String, _ params: JSON) -> JSON {
        .object([JSON.Member("id", .string(id)), JSON.Member("version", "1.0"), JSON.Member("params", params)])
    }

    static func identity(_ product: String, _ device: String) -> JSON {
        .object([JSON.Member("productID", .string(product)), JSON.Member("deviceName", .string(device))])
    }

    /// The id as its digits, whether they stand as a string or as a number; nil for everything else, and for what is too
    /// long to be one.
    static func id(_ payload: JSON) -> String? {
        switch payload["id"] {
        case .string(let text)?: text.isEmpty || text.utf8.count > 64 ? nil : text
        case .number(let number)?: Int64(exactly: number).map(String.init)
        default: nil
        }
    }
}
