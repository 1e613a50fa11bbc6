@main
struct Fieldpost {
    static func main() {}
}
