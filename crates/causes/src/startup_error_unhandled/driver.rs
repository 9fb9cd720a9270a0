//! The errors by which drivers say that a server can't be reached or refuses the login.

/// What a driver raises when a connection fails.
pub(super) struct Driver {
    /// How the dotted paths of its classes begin.
    classes: &'static str,
    /// The module that has the error, and the error; none where only [`OSError`] is raised.
    pub error: Option<(&'static str, &'static str)>,
    /// The error is reached by the module's own name (`asyncpg.PostgresError`) rather than imported by its own.
    pub by_module: bool,
    /// It lets [`OSError`] through as well.
    pub os_error: bool,
}

const fn driver(classes: &'static str, module: &'static str, error: &'static str) -> Driver {
    Driver { classes, error: Some((module, error)), by_module: false, os_error: true }
}

const DRIVERS: &[Driver] = &[
    Driver {
        classes: "asyncpg.",
        error: Some(("asyncpg", "PostgresError")),
        by_module: true,
        os_error: true,
    },
    Driver { classes: "psycopg", error: Some(("psycopg", "Error")), by_module: true, os_error: true },
    driver("redis.", "redis.exceptions", "RedisError"),
    driver("coredis.", "coredis.exceptions", "RedisError"),
    driver("sqlalchemy.", "sqlalchemy.exc", "SQLAlchemyError"),
    driver("sqlmodel.", "sqlalchemy.exc", "SQLAlchemyError"),
    Driver {
        classes: "pymongo.",
        error: Some(("pymongo.errors", "PyMongoError")),
        by_module: false,
        os_error: false,
    },
    Driver {
        classes: "motor.",
        error: Some(("pymongo.errors", "PyMongoError")),
        by_module: false,
        os_error: false,
    },
    driver("aiomysql.", "pymysql.err", "MySQLError"),
    driver("asyncmy.", "asyncmy.errors", "MySQLError"),
    Driver { classes: "nats.", error: Some(("nats.errors", "Error")), by_module: true, os_error: true },
    driver("aiokafka.", "aiokafka.errors", "KafkaError"),
    driver("aio_pika.", "aio_pika.exceptions", "AMQPError"),
    driver("aiormq.", "aiormq.exceptions", "AMQPError"),
    Driver {
        classes: "neo4j.",
        error: Some(("neo4j.exceptions", "DriverError")),
        by_module: false,
        os_error: true,
    },
    driver("tortoise.", "tortoise.exceptions", "BaseORMException"),
    Driver { classes: "asyncio.Stream", error: None, by_module: false, os_error: true },
];

/// The driver whose class this is; none where its errors are not known.
pub(super) fn driver_of(class: &str) -> Option<&'static Driver> {
    DRIVERS.iter().find(|driver| class.starts_with(driver.classes))
}
