// Runs a declarative Jenkinsfile without Jenkins. `sh` is real; what publishes looks for its files;
// a word that is not known here is an error. It is not Jenkins' own validator.

/** A step of the shell ended with another status than 0: the build has failed. */
class ShellFailed extends RuntimeException {
    ShellFailed(String message) { super(message) }
}

/** The steps and sections of a pipeline. Each word of the file is a method here. */
class Pipeline {

    static final Set WITHOUT_EFFECT = ['agent', 'triggers', 'options'] as Set
    Map environment = new TreeMap(System.getenv())
    boolean failed = false
    List log = []

    def run(Closure body) {
        body.delegate = this
        body.resolveStrategy = Closure.DELEGATE_FIRST
        body()
    }

    def pipeline(Closure body) { run(body) }
    def stages(Closure body) { run(body) }
    def steps(Closure body) { run(body) }

    def stage(String name, Closure body) {
        if (failed) { return }
        log << "stage ${name}"
        Map outside = new TreeMap(environment)
        try {
            run(body)
        } catch (ShellFailed e) {
            failed = true
            log << "failed: ${e.message}"
        }
        environment = outside
    }

    def environment(Closure body) {
        body.delegate = new Variables(pipeline: this)
        body.resolveStrategy = Closure.DELEGATE_ONLY
        body()
    }

    def post(Closure body) {
        body.delegate = new Post(pipeline: this)
        body.resolveStrategy = Closure.DELEGATE_ONLY
        body()
    }

    def sh(String script) {
        def builder = new ProcessBuilder('sh', '-xe', '-c', script).inheritIO()
        builder.environment().clear()
        builder.environment().putAll(environment)
        int status = builder.start().waitFor()
        if (status != 0) { throw new ShellFailed("script returned exit code ${status}") }
    }

    def echo(String text) { log << "echo ${text}" }

    def archiveArtifacts(Map with) {
        File kept = new File(with.artifacts - '/**')
        log << "archived ${kept.exists()}"
        if (!kept.exists() && !with.allowEmptyArchive) { failed = true }
    }

    def junit(Map with) {
        File file = new File(with.testResults)
        log << "junit ${file.exists()}"
        if (!file.exists() && !with.allowEmptyResults) { failed = true }
    }

    def methodMissing(String name, arguments) {
        if (!(name in WITHOUT_EFFECT)) { throw new MissingMethodException(name, Pipeline, arguments) }
    }
}

/** The section `environment`. Credentials are variables CREDENTIAL_... of this process. */
class Variables {

    Pipeline pipeline

    def credentials(String id) {
        def value = System.getenv('CREDENTIAL_' + id.replace('-', '_'))
        if (value == null) { throw new IllegalArgumentException("no credential ${id}") }
        value
    }

    void setProperty(String name, value) {
        if (name == 'pipeline') { this.@pipeline = value } else { pipeline.environment[name] = value }
    }
}

/** The section `post`. */
class Post {

    Pipeline pipeline

    def always(Closure body) { run(body) }
    def unsuccessful(Closure body) { if (pipeline.failed) { run(body) } }

    private void run(Closure body) {
        try {
            pipeline.run(body)
        } catch (ShellFailed e) {
            pipeline.failed = true
            pipeline.log << "failed: ${e.message}"
        }
    }
}

def settings = new org.codehaus.groovy.control.CompilerConfiguration()
settings.scriptBaseClass = DelegatingScript.name
def shell = new GroovyShell(this.class.classLoader, new Binding(), settings)
def script = shell.parse(new File(args[0]))
def pipeline = new Pipeline()
script.setDelegate(pipeline) // an assignment would set a property of the script
script.run()
pipeline.log.each { println "pipeline: ${it}" }
println "pipeline: ${pipeline.failed ? 'FAILURE' : 'SUCCESS'}"
System.exit(pipeline.failed ? 1 : 0)
