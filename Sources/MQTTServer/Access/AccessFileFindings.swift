/// What is found wrong while a password file or an ACL file is read.
struct AccessFileFindings {
    let path: String
    private var error = AccessFileError(problems: [])
    /// What does not keep the file from being used; at most ``AccessFileError/limit``.
    private(set) var warnings: [AccessFileProblem] = []

    init(path: String) { self.path = path }

    mutating func error(line: Int?, _ message: String, mend: String? = nil) {
        if error.problems.count < AccessFileError.limit {
            error.problems.append(AccessFileProblem(path: path, line: line, message: message, mend: mend))
        } else {
            error.omitted += 1
        }
    }

    mutating func warning(line: Int?, _ message: String, mend: String? = nil) {
        if warnings.count < AccessFileError.limit {
            warnings.append(AccessFileProblem(path: path, line: line, message: message, mend: mend))
        }
    }

    func check() throws(AccessFileError) {
        if !error.problems.isEmpty { throw error }
    }
}
